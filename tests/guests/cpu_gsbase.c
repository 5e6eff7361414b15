// A program that moves its %gs without a system call (wrgsbase), and finds it again after system calls, in threads and
// in signal handlers.
#include <sys/auxv.h>

#include "guest.h"

static uint64_t areas[4][2] = {{11, 12}, {21, 22}, {31, 32}, {41, 42}};
static volatile int handled;

static void set_base(const void* base) { __asm__ volatile("wrgsbase %0" ::"r"(base) : "memory"); }
static void* base(void) {
  void* now;
  __asm__ volatile("rdgsbase %0" : "=r"(now));
  return now;
}
static uint64_t second_word(void) {
  uint64_t word;
  __asm__ volatile("movq %%gs:8, %0" : "=r"(word)::"memory");
  return word;
}

static void on_signal(int signal) {
  (void)signal;
  CHECK(base() == areas[0] && second_word() == 12);
  set_base(areas[3]);
  SYS(getppid());
  CHECK(second_word() == 42);
  set_base(areas[0]);
  ++handled;
}

static void* body(void* argument) {
  CHECK(base() == areas[0]);  // as its creator's
  uint64_t* own = argument;
  set_base(own);
  for (int i = 0; i < 200; ++i) {
    if (i % 20 == 0) sched_yield();
    CHECK(base() == own && second_word() == own[1]);
    SYS(getppid());
  }
  own[1] += 100;
  CHECK(second_word() == own[1]);
  return (void*)second_word();
}

int main(void) {
  if (!(getauxval(AT_HWCAP2) & 2)) {
    printf("= no fsgsbase\n");
    return success();
  }
  CHECK(base() == NULL);
  set_base(areas[0]);
  CHECK(second_word() == 12);
  struct timespec now;
  SYS(clock_gettime(CLOCK_REALTIME, &now));
  SYS(syscall(SYS_getppid));
  CHECK(base() == areas[0]);
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) OK(pthread_create(&threads[i], NULL, body, areas[i + 1]));
  signal(SIGUSR1, on_signal);
  for (int i = 0; i < 10; ++i) {
    SYS(raise(SIGUSR1));
    CHECK(base() == areas[0]);
  }
  for (int i = 0; i < 2; ++i) {
    void* result;
    OK(pthread_join(threads[i], &result));
    printf("= %d\n", (int)(uintptr_t)result);
  }
  sleep_ms(2);
  CHECK(handled == 10 && base() == areas[0] && second_word() == 12);
  pid_t child = SYS(fork());
  if (!child) _exit(base() == areas[0] && second_word() == 12 ? 5 : 6);
  CHECK(wait_exit(child) == 5);
  void* told;
  SYS(syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &told));
  CHECK(told == areas[0]);
  printf("%ld\n", now.tv_nsec);
  return success();
}
