// A contended mutex protects a counter; the order of the owners is part of the output.
#include "guest.h"
#include <sched.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static uint64_t order;

static void* body(void* argument) {
  for (int i = 0; i < 400; i++) {
    OK(pthread_mutex_lock(&mutex));
    long seen = counter;
    order = order * 31 + (uint64_t)(long)argument;
    if (i % 16 == 0) sched_yield();
    counter = seen + 1;
    OK(pthread_mutex_unlock(&mutex));
  }
  return NULL;
}

int main(void) {
  pthread_t threads[4];
  for (long i = 0; i < 4; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  for (int i = 0; i < 4; i++) OK(pthread_join(threads[i], NULL));
  printf("counter %ld order %016lx\n", counter, order);
  CHECK(counter == 1600);
  return success();
}
