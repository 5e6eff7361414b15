// fork in the middle of a computation, while a thread computes as well: each child finishes the computation.
#include "guest.h"

static volatile int stop;
static volatile long progress;

static void* body(void* argument) {
  while (!stop) progress++;
  return argument;
}

int main(void) {
  enum { kSteps = 16 };
  pthread_t thread;
  OK(pthread_create(&thread, NULL, body, NULL));
  while (progress < 1000) continue;
  uint64_t sum = 1;
  pid_t children[kSteps];
  bool is_child = false;
  for (int step = 0; step < kSteps; step++) {
    for (int i = 0; i < 100000; i++) sum = sum * 6364136223846793005ul + (uint64_t)(i ^ step);
    if (is_child) continue;
    children[step] = SYS(fork());
    if (children[step] == 0) is_child = true;
  }
  if (is_child) _exit((int)(sum >> 57));
  long before = progress;
  while (progress == before) continue;
  for (int step = 0; step < kSteps; step++) CHECK(wait_exit(children[step]) == (int)(sum >> 57));
  stop = 1;
  OK(pthread_join(thread, NULL));
  printf("= %lx\nprogress %ld\n", sum, progress);
  return success();
}
