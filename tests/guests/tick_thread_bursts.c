// Bursts of threads that compute and wait for one another by spinning.
#include "guest.h"

enum { kBursts = 6, kThreads = 12 };
static volatile int started[kBursts];

static void* body(void* argument) {
  long burst = (long)argument / kThreads;
  __atomic_fetch_add(&started[burst], 1, __ATOMIC_SEQ_CST);
  uint64_t sum = (uint64_t)(long)argument;
  for (int i = 0; i < 30000; i++) sum = sum * 6364136223846793005ul + 1;
  while (started[burst] < kThreads) continue;
  for (int i = 0; i < 30000; i++) sum = sum * 3 + (sum >> 60);
  return (void*)(sum >> 1);
}

int main(void) {
  uint64_t hash = 0;
  for (long burst = 0; burst < kBursts; burst++) {
    pthread_t threads[kThreads];
    for (long i = 0; i < kThreads; i++) OK(pthread_create(&threads[i], NULL, body, (void*)(burst * kThreads + i)));
    for (int i = 0; i < kThreads; i++) {
      void* value;
      OK(pthread_join(threads[i], &value));
      hash = hash * 31 + (uint64_t)value;
    }
  }
  printf("= %016lx\n", hash);
  return success();
}
