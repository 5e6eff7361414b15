// Code made at run time spins until another thread has done something, or a signal has: nothing in it can be counted, so
// that it has to be stopped where no replay finds it, while others wait in calls of all kinds. What was computed on both
// sides of that must be there afterwards. Arguments: how often.
#include <sys/epoll.h>
#include <sys/wait.h>

#include "guest.h"

// 1: inc %rax; cmpl $0, (%rdi); je 1b; ret
static const unsigned char kSpin[] = {0x48, 0xff, 0xc0, 0x83, 0x3f, 0x00, 0x74, 0xf8, 0xc3};

static long (*spin)(volatile int* until);
static volatile int released, spinning, over;
static unsigned char* page;
static int fds[2], queue;

static void* compute(void* rounds) {
  long sum = 0;
  for (int i = 0; i < (int)(intptr_t)rounds; ++i) {
    released = 0;
    spinning = i + 1;
    page[i] = (unsigned char)(i + 1);
    const long count = spin(&released);
    CHECK(count > 0);
    sum += count > 0;
  }
  return (void*)sum;
}

static void* wait_for_time(void* none) {
  while (!over) usleep(20000);
  return none;
}

static void* wait_for_bytes(void* none) {
  char byte;
  CHECK(read(fds[0], &byte, 1) == 1 && byte == 'x');
  return none;
}

static void* wait_for_event(void* none) {
  struct epoll_event event;
  CHECK(epoll_wait(queue, &event, 1, -1) == 1 && event.data.u32 == 7);
  return none;
}

static void on_usr1(int signal) {
  (void)signal;
  released = 1;
}

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? atoi(argv[1]) : 2;
  unsigned char* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(code != MAP_FAILED);
  memcpy(code, kSpin, sizeof kSpin);
  SYS(mprotect(code, 4096, PROT_READ | PROT_EXEC));
  memcpy(&spin, &code, sizeof spin);
  page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  struct sigaction action = {.sa_handler = on_usr1};
  SYS(sigaction(SIGUSR1, &action, NULL));
  int other[2], watched[2];
  SYS(pipe(fds));
  SYS(pipe(other));
  SYS(pipe(watched));
  queue = (int)SYS(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7};
  SYS(epoll_ctl(queue, EPOLL_CTL_ADD, watched[0], &event));
  const pid_t child = (pid_t)SYS(fork());
  if (child == 0) {
    char byte;
    _exit(read(other[0], &byte, 1) == 1 && byte == 'y' && page[0] == 1 ? 7 : 1);
  }
  pthread_t threads[4];
  OK(pthread_create(&threads[0], NULL, wait_for_time, NULL));
  OK(pthread_create(&threads[1], NULL, wait_for_bytes, NULL));
  OK(pthread_create(&threads[2], NULL, wait_for_event, NULL));
  OK(pthread_create(&threads[3], NULL, compute, (void*)(intptr_t)rounds));
  for (int i = 0; i < rounds; ++i) {
    while (spinning != i + 1) usleep(1000);
    usleep(5000);
    if (i % 2 == 0) {
      released = 1;
    } else {
      OK(pthread_kill(threads[3], SIGUSR1));
    }
  }
  void* sum;
  OK(pthread_join(threads[3], &sum));
  CHECK((long)(intptr_t)sum == rounds);
  for (int i = 0; i < rounds; ++i) CHECK(page[i] == i + 1);
  over = 1;
  SYS(write(fds[1], "x", 1));
  SYS(write(other[1], "y", 1));
  SYS(write(watched[1], "z", 1));
  for (int i = 0; i < 3; ++i) OK(pthread_join(threads[i], NULL));
  int status;
  SYS(waitpid(child, &status, 0));
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  return success();
}
