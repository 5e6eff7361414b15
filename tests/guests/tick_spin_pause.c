// Two threads hand a turn to each other, spinning with `pause`, without one syscall.
#include "guest.h"

enum { kTurns = 60 };
static _Atomic long turn;
static long spins[2];

static void* body(void* argument) {
  long own = (long)argument;
  for (long i = own; i < kTurns; i += 2) {
    while (turn != i) {
      __asm__ volatile("pause");
      spins[own]++;
    }
    turn = i + 1;
  }
  return NULL;
}

int main(void) {
  pthread_t threads[2];
  for (long i = 0; i < 2; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  for (int i = 0; i < 2; i++) OK(pthread_join(threads[i], NULL));
  printf("%ld and %ld pauses\n", spins[0], spins[1]);
  CHECK(turn == kTurns);
  return success();
}
