// A broadcast wakes every waiter; the order in which they go on is part of the output.
#include "guest.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int waiting, generation, woken[8], count;

static void* body(void* argument) {
  pthread_mutex_lock(&mutex);
  waiting++;
  while (generation == 0) pthread_cond_wait(&cond, &mutex);
  woken[count++] = (int)(long)argument;
  pthread_mutex_unlock(&mutex);
  return NULL;
}

int main(void) {
  pthread_t threads[8];
  for (long i = 0; i < 8; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  for (int all = 0; !all;) {
    pthread_mutex_lock(&mutex);
    all = waiting == 8;
    if (all) {
      generation = 1;
      pthread_cond_broadcast(&cond);
    }
    pthread_mutex_unlock(&mutex);
    usleep(1000);
  }
  for (int i = 0; i < 8; i++) OK(pthread_join(threads[i], NULL));
  for (int i = 0; i < 8; i++) printf("%d ", woken[i]);
  printf("woken\n");
  CHECK(count == 8);
  return success();
}
