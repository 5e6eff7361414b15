// Condition variables that time out, on both clocks, and one that does not.
#include "guest.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int ready;

static void* waker(void* unused) {
  sleep_ms(15);
  pthread_mutex_lock(&mutex);
  ready = 1;
  pthread_cond_broadcast(&cond);
  pthread_mutex_unlock(&mutex);
  return unused;
}

int main(void) {
  pthread_mutex_lock(&mutex);
  struct timespec t = guest_in_ms(CLOCK_REALTIME, 10);
  CHECK(pthread_cond_timedwait(&cond, &mutex, &t) == ETIMEDOUT);
  printf("gave up at %ld.%09ld\n", (long)t.tv_sec, t.tv_nsec);
  t = guest_in_ms(CLOCK_MONOTONIC, 10);
  CHECK(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &t) == ETIMEDOUT);
  pthread_t thread;
  OK(pthread_create(&thread, NULL, waker, NULL));
  t = guest_in_ms(CLOCK_REALTIME, 10000);
  int result = 0;
  while (!ready && result == 0) result = pthread_cond_timedwait(&cond, &mutex, &t);
  CHECK(ready && result == 0);
  pthread_mutex_unlock(&mutex);
  OK(pthread_join(thread, NULL));
  return success();
}
