// Cancellation disabled, deferred, and asynchronous.
#include "guest.h"

#include <stdatomic.h>

static int reached;
static atomic_int cancelled;

static void* disabled(void* unused) {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  while (!cancelled) sleep_ms(1);
  reached = 1;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  pthread_testcancel();
  reached = 2;
  return unused;
}

static void* asynchronous(void* unused) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  for (;;) syscall(SYS_getppid);
  return unused;
}

int main(void) {
  void* (*bodies[])(void*) = {disabled, asynchronous};
  for (int i = 0; i < 2; i++) {
    pthread_t thread;
    OK(pthread_create(&thread, NULL, bodies[i], NULL));
    sleep_ms(10);
    OK(pthread_cancel(thread));
    cancelled = 1;
    void* value;
    OK(pthread_join(thread, &value));
    CHECK(value == PTHREAD_CANCELED);
    printf("thread %d of %d cancelled\n", i, getpid());
  }
  CHECK(reached == 1);
  return success();
}
