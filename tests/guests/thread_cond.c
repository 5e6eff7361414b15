// A bounded queue with a mutex and two condition variables.
#include "guest.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static int queue[4], length;
static uint64_t order;
static long total;

static void* producer(void* argument) {
  for (int i = 1; i <= 100; i++) {
    pthread_mutex_lock(&mutex);
    while (length == 4) pthread_cond_wait(&not_full, &mutex);
    queue[length++] = (int)(long)argument * 1000 + i;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void* consumer(void* unused) {
  for (int i = 0; i < 100; i++) {
    pthread_mutex_lock(&mutex);
    while (length == 0) pthread_cond_wait(&not_empty, &mutex);
    int item = queue[--length];
    order = order * 131 + (uint64_t)item;
    total += item % 1000;
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&mutex);
  }
  return unused;
}

int main(void) {
  pthread_t threads[6];
  for (long i = 0; i < 3; i++) OK(pthread_create(&threads[i], NULL, producer, (void*)i));
  for (int i = 3; i < 6; i++) OK(pthread_create(&threads[i], NULL, consumer, NULL));
  for (int i = 0; i < 6; i++) OK(pthread_join(threads[i], NULL));
  printf("total %ld order %016lx\n", total, order);
  CHECK(total == 3 * 5050);
  return success();
}
