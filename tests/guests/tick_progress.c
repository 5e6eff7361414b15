// Threads that compute in step: none goes on before all others have come as far, and none makes a syscall.
#include "guest.h"

enum { kThreads = 4, kSteps = 12 };
static volatile long progress[kThreads];
static volatile long sums[kThreads];

static void* body(void* argument) {
  long own = (long)argument;
  unsigned long sum = (unsigned long)own;
  for (long step = 1; step <= kSteps; step++) {
    for (long i = 0; i < 200000; i++) sum = sum * 6364136223846793005ul + 1442695040888963407ul;
    progress[own] = step;
    for (int other = 0; other < kThreads; other++) {
      while (progress[other] < step) continue;
    }
  }
  sums[own] = (long)(sum >> 1);
  return NULL;
}

int main(void) {
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  for (int i = 0; i < kThreads; i++) OK(pthread_join(threads[i], NULL));
  for (int i = 0; i < kThreads; i++) printf("= %lx\n", sums[i]);
  return success();
}
