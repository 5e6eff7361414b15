// Asynchronous cancellation of threads that compute and never come to a cancellation point.
#include "guest.h"

static volatile long progress, cleaned;
static volatile uint64_t state = 1;

static void clean(void* argument) { cleaned += (long)argument; }

__attribute__((noinline)) static void compute(int depth) {
  if (depth > 0) compute(depth - 1);
  while (cleaned >= 0) {
    for (int i = 0; i < 100; i++) state = state * 6364136223846793005ul + 1;
    progress++;
  }
}

static void* body(void* argument) {
  int old;
  OK(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old));
  pthread_cleanup_push(clean, argument);
  compute((int)(long)argument);
  pthread_cleanup_pop(0);
  return NULL;
}

int main(void) {
  long expected = 0;
  for (long i = 1; i <= 10; i++) {
    pthread_t thread;
    long before = progress;
    OK(pthread_create(&thread, NULL, body, (void*)i));
    while (progress < before + 10) continue;
    OK(pthread_cancel(thread));
    void* value;
    OK(pthread_join(thread, &value));
    expected += i;
    CHECK(value == PTHREAD_CANCELED && cleaned == expected);
  }
  printf("progress %ld\n", progress);
  return success();
}
