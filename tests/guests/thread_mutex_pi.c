// A PTHREAD_PRIO_INHERIT mutex under contention, with a condition variable.
#include "guest.h"

static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;
static long sum;

static void* body(void* argument) {
  for (int i = 0; i < 20; i++) {
    OK(pthread_mutex_lock(&mutex));
    while (turn != (int)(long)argument) OK(pthread_cond_wait(&cond, &mutex));
    turn = (turn + 1) % 3;
    sum = (sum * 7 + turn) % 1000003;
    OK(pthread_cond_broadcast(&cond));
    OK(pthread_mutex_unlock(&mutex));
  }
  return NULL;
}

int main(void) {
  pthread_mutexattr_t attributes;
  OK(pthread_mutexattr_init(&attributes));
  OK(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
  OK(pthread_mutex_init(&mutex, &attributes));
  pthread_t threads[3];
  for (long i = 0; i < 3; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  for (int i = 0; i < 3; i++) OK(pthread_join(threads[i], NULL));
  OK(pthread_mutex_destroy(&mutex));
  printf("sum %ld in %d\n", sum, getpid());
  CHECK(turn == 0);
  return success();
}
