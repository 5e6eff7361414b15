// Cancellation disabled, deferred, and asynchronous.
#include "guest.h"

#include <stdatomic.h>

static int reached;
static atomic_int ready, cancelled;

static void* disabled(void* unused) {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  ready = 1;
  while (!cancelled) sleep_ms(1);
  reached = 1;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  pthread_testcancel();
  reached = 2;
  return unused;
}

static void* asynchronous(void* unused) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  ready = 1;
  for (;;) syscall(SYS_getppid);
  return unused;
}

int main(void) {
  void* (*bodies[])(void*) = {disabled, asynchronous};
  for (int i = 0; i < 2; i++) {
    pthread_t thread;
    ready = 0;
    OK(pthread_create(&thread, NULL, bodies[i], NULL));
    while (!ready) sleep_ms(1);  // a thread that can be cancelled still is sent a signal, which may be slow
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
