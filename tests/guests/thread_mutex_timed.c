// pthread_mutex_timedlock gives up, then gets it.
#include "guest.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int gave_up;

static struct timespec after(long ms) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += ms * 1000000;
  t.tv_sec += t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  return t;
}

static void* body(void* unused) {
  struct timespec t = after(15);
  CHECK(pthread_mutex_timedlock(&mutex, &t) == ETIMEDOUT);
  __atomic_store_n(&gave_up, 1, __ATOMIC_SEQ_CST);
  t = after(10000);
  OK(pthread_mutex_timedlock(&mutex, &t));
  OK(pthread_mutex_unlock(&mutex));
  printf("thread %ld got it by %ld\n", syscall(SYS_gettid), (long)t.tv_sec);
  return unused;
}

int main(void) {
  OK(pthread_mutex_lock(&mutex));
  pthread_t thread;
  OK(pthread_create(&thread, NULL, body, NULL));
  while (!__atomic_load_n(&gave_up, __ATOMIC_SEQ_CST)) sleep_ms(5);
  sleep_ms(10);
  OK(pthread_mutex_unlock(&mutex));
  OK(pthread_join(thread, NULL));
  return success();
}
