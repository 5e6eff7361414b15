// expect: status=3
// exit_group from a thread that is not the leader, which is blocked.
#include "guest.h"

static void* body(void* unused) {
  sleep_ms(10);
  printf("thread %ld ends the process\n", syscall(SYS_gettid));
  success();
  syscall(SYS_exit_group, 3);
  return unused;
}

int main(void) {
  pthread_t thread;
  OK(pthread_create(&thread, NULL, body, NULL));
  for (;;) pause();
}
