// The leader ends with pthread_exit; the process lives as long as another thread does.
#include "guest.h"

static pthread_t leader;

static void* body(void* unused) {
  void* value;
  OK(pthread_join(leader, &value));
  CHECK(value == (void*)5);
  sleep_ms(20);
  printf("thread %ld outlived leader %d\n", syscall(SYS_gettid), getpid());
  success();
  exit(0);
  return unused;
}

int main(void) {
  leader = pthread_self();
  pthread_t thread;
  OK(pthread_create(&thread, NULL, body, NULL));
  pthread_exit((void*)5);
}
