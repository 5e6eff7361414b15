// Unsynchronised threads: the interleaving is the output.
#include "guest.h"
#include <sched.h>

static volatile int journal[300];
static volatile int length;

static void* body(void* argument) {
  for (int i = 0; i < 60; i++) {
    int at = length;
    if (i % 3 == 0) sched_yield();
    journal[at] = (int)(long)argument;
    length = at + 1;
    if (i % 20 == (int)(long)argument) usleep(100);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[4];
  for (long i = 0; i < 4; i++) OK(pthread_create(&threads[i], NULL, body, (void*)(i + 1)));
  for (int i = 0; i < 4; i++) OK(pthread_join(threads[i], NULL));
  for (int i = 0; i < length; i++) putchar('0' + journal[i]);
  printf("\nlength %d\n", length);
  return success();
}
