// expect: signal=11
// A fault in one thread ends them all.
#include "guest.h"

static void* waits(void* unused) {
  for (;;) pause();
  return unused;
}

static void* faults(void* unused) {
  printf("thread %ld\n", syscall(SYS_gettid));
  success();
  *(volatile char*)unused = 1;
  return unused;
}

int main(void) {
  pthread_t threads[4];
  for (int i = 0; i < 3; i++) OK(pthread_create(&threads[i], NULL, waits, NULL));
  sleep_ms(10);
  OK(pthread_create(&threads[3], NULL, faults, NULL));
  for (;;) pause();
}
