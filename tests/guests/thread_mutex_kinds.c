// Recursive and error-checking mutexes.
#include "guest.h"

static pthread_mutex_t mutex;

static void* body(void* unused) {
  CHECK(pthread_mutex_trylock(&mutex) == EBUSY);
  return unused;
}

int main(void) {
  pthread_mutexattr_t attributes;
  OK(pthread_mutexattr_init(&attributes));
  OK(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE));
  OK(pthread_mutex_init(&mutex, &attributes));
  for (int i = 0; i < 3; i++) OK(pthread_mutex_lock(&mutex));
  pthread_t thread;
  OK(pthread_create(&thread, NULL, body, NULL));
  OK(pthread_join(thread, NULL));
  for (int i = 0; i < 3; i++) OK(pthread_mutex_unlock(&mutex));
  CHECK(pthread_mutex_unlock(&mutex) == EPERM);
  OK(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK));
  OK(pthread_mutex_init(&mutex, &attributes));
  OK(pthread_mutex_lock(&mutex));
  CHECK(pthread_mutex_lock(&mutex) == EDEADLK);
  OK(pthread_mutex_unlock(&mutex));
  printf("mutex at %p\n", (void*)&mutex);
  return success();
}
