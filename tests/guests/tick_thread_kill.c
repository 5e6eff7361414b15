// Signals from one thread to another that computes, each sent when the one before has been handled; the receivers count
// in registers all the while.
#include "guest.h"

enum { kThreads = 3, kSignals = 25 };
static volatile int handled[kThreads], ready;
static __thread int own;

static void handler(int signal) { handled[own] += signal == SIGUSR1; }

static void* body(void* argument) {
  own = (int)(long)argument;
  __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
  volatile int* until = &handled[own];
  uint64_t a = 1, rounds = 0;
  while (*until < kSignals) {
    a = a * 6364136223846793005ul + 1442695040888963407ul;
    rounds++;
  }
  uint64_t check = 1;
  for (uint64_t i = 0; i < rounds; i++) check = check * 6364136223846793005ul + 1442695040888963407ul;
  CHECK(a == check);
  return (void*)rounds;
}

int main(void) {
  struct sigaction action = {.sa_handler = handler};
  SYS(sigaction(SIGUSR1, &action, NULL));
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  while (ready < kThreads) continue;
  for (int n = 0; n < kSignals; n++) {
    for (int i = 0; i < kThreads; i++) {
      while (handled[i] < n) continue;
      OK(pthread_kill(threads[i], SIGUSR1));
    }
  }
  for (int i = 0; i < kThreads; i++) {
    void* rounds;
    OK(pthread_join(threads[i], &rounds));
    printf("thread %d: %lu rounds\n", i, (unsigned long)rounds);
  }
  return success();
}
