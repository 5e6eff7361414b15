// A program that comes to use %gs only later: it maps another module that does, while its threads compute.
#include <sys/auxv.h>
#include <sys/stat.h>

#include "guest.h"

static uint64_t areas[4][2] = {{11, 12}, {21, 22}, {31, 32}, {41, 42}};
static void (*set_base)(const void*);
static void* (*base)(void);
static uint64_t (*second_word)(void);
static volatile int mapped;

// Not in the module's own code, which would be known for it from the start.
static void make_functions(void) {
  static const uint8_t code[3][16] = {{0xf3, 0x48, 0x0f, 0xae, 0xdf, 0xc3},
                                      {0xf3, 0x48, 0x0f, 0xae, 0xc8, 0xc3},
                                      {0x65, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0, 0xc3}};
  char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  memcpy(page, code, sizeof code);
  SYS(mprotect(page, 4096, PROT_READ | PROT_EXEC));
  set_base = (void*)page;
  base = (void*)(page + 16);
  second_word = (void*)(page + 32);
}

static __attribute__((noinline)) uint64_t compute(uint64_t rounds) {
  uint64_t value = rounds;
  for (uint64_t i = 0; i < rounds; ++i) value = value * 6364136223846793005u + i;
  return value;
}

static void* body(void* argument) {
  uint64_t* own = argument;
  uint64_t sum = 0;
  for (int i = 0; i < 10 || !mapped; ++i) {
    sum += compute(1500000);
    sched_yield();
  }
  set_base(own);
  for (int i = 0; i < 20; ++i) {
    sum += compute(20000);
    sched_yield();
    CHECK(base() == own && second_word() == own[1]);
  }
  return NULL;
}

static void* late_body(void* argument) {
  CHECK(base() == areas[0]);
  set_base(argument);
  compute(20000);
  sched_yield();
  CHECK(base() == argument);
  return NULL;
}

int main(void) {
  if (!(getauxval(AT_HWCAP2) & 2)) {
    printf("= no fsgsbase\n");
    return success();
  }
  make_functions();
  pthread_t threads[2], late;
  for (int i = 0; i < 2; ++i) OK(pthread_create(&threads[i], NULL, body, areas[i + 1]));
  sleep_ms(5);
  char path[4096];
  ssize_t length = SYS(readlink("/proc/self/exe", path, sizeof path - 32));
  path[length] = 0;
  strcpy(strrchr(path, '/') + 1, "cpu_gsbase");
  int fd = SYS(open(path, O_RDONLY));
  struct stat file;
  SYS(fstat(fd, &file));
  CHECK(mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED);
  mapped = 1;
  unsigned long told = 1;
  SYS(syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &told));
  CHECK(told == 0);
  pid_t child = SYS(fork());
  if (!child) _exit(base() == NULL ? 5 : 6);
  CHECK(wait_exit(child) == 5);
  set_base(areas[0]);
  OK(pthread_create(&late, NULL, late_body, areas[3]));
  for (int i = 0; i < 50; ++i) {
    compute(10000);
    sched_yield();
    CHECK(base() == areas[0] && second_word() == 12);
  }
  OK(pthread_join(late, NULL));
  for (int i = 0; i < 2; ++i) OK(pthread_join(threads[i], NULL));
  CHECK(base() == areas[0]);
  return success();
}
