// Signals whose default action is death reach children that compute: in a loop, by recursion, with threads.
#include "guest.h"

static volatile long* started;

__attribute__((noinline, optimize("no-optimize-sibling-calls"))) static long recurse(long n) {
  return n == 0 ? started[0] : recurse(n - 1) + 1;
}

static void* spin(void* argument) {
  for (;;) started[0]++;
  return argument;
}

static void compute(int kind) {
  pthread_t thread;
  if (kind == 1) OK(pthread_create(&thread, NULL, spin, NULL));
  if (kind == 2) {
    for (;;) started[0] += recurse(1000) > 0;
  }
  spin(NULL);
}

int main(void) {
  started = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(started != MAP_FAILED);
  const int signals[] = {SIGTERM, SIGKILL, SIGINT, SIGALRM, SIGUSR1, SIGRTMIN};
  for (int i = 0; i < 6; i++) {
    started[0] = 0;
    pid_t child = SYS(fork());
    if (!child) compute(i % 3);
    while (started[0] < 100) continue;
    SYS(kill(child, signals[i]));
    CHECK(wait_exit(child) == 128 + signals[i]);
    printf("count %ld\n", started[0]);
  }
  return success();
}
