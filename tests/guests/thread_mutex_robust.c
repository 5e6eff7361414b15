// A thread that ends while it owns a robust mutex: the next owner is told.
#include "guest.h"

static pthread_mutex_t mutex;

static void* body(void* unused) {
  OK(pthread_mutex_lock(&mutex));
  printf("thread %ld leaves with the mutex\n", syscall(SYS_gettid));
  return unused;
}

int main(void) {
  pthread_mutexattr_t attributes;
  OK(pthread_mutexattr_init(&attributes));
  OK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
  OK(pthread_mutex_init(&mutex, &attributes));
  pthread_t thread;
  OK(pthread_create(&thread, NULL, body, NULL));
  OK(pthread_join(thread, NULL));
  CHECK(pthread_mutex_lock(&mutex) == EOWNERDEAD);
  OK(pthread_mutex_consistent(&mutex));
  OK(pthread_mutex_unlock(&mutex));
  OK(pthread_mutex_lock(&mutex));
  OK(pthread_mutex_unlock(&mutex));
  OK(pthread_create(&thread, NULL, body, NULL));
  OK(pthread_join(thread, NULL));
  CHECK(pthread_mutex_trylock(&mutex) == EOWNERDEAD);
  OK(pthread_mutex_unlock(&mutex));
  CHECK(pthread_mutex_lock(&mutex) == ENOTRECOVERABLE);
  return success();
}
