// Threads are made, return values and are joined.
#include "guest.h"

static void* body(void* argument) {
  long n = (long)argument;
  printf("thread %ld tid %ld of %d stack %p\n", n, syscall(SYS_gettid), getpid(), (void*)&n);
  return (void*)(n * n);
}

int main(void) {
  pthread_t threads[6];
  for (long i = 0; i < 6; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  for (long i = 0; i < 6; i++) {
    void* value;
    OK(pthread_join(threads[i], &value));
    CHECK((long)value == i * i);
  }
  return success();
}
