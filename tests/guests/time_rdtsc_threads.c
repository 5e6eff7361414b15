// rdtsc in several threads and in a child process, after exec too.
#include "guest.h"
#include <x86intrin.h>

static void* body(void* unused) {
  uint64_t sum = 0;
  for (int i = 0; i < 10; i++) sum += __rdtsc();
  printf("thread sum %lu\n", sum);
  return unused;
}

int main(int argc, char** argv) {
  if (argc > 1) {
    printf("after exec %lu\n", (uint64_t)__rdtsc());
    return 0;
  }
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) OK(pthread_create(&threads[i], NULL, body, NULL));
  for (int i = 0; i < 3; i++) OK(pthread_join(threads[i], NULL));
  pid_t child = SYS(fork());
  if (child == 0) {
    printf("child %lu\n", (uint64_t)__rdtsc());
    fflush(stdout);
    execl("/proc/self/exe", argv[0], "x", (char*)NULL);
    _exit(1);
  }
  CHECK(wait_exit(child) == 0);
  return success();
}
