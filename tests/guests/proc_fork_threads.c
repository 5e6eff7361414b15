// fork in a process with threads: the child has one.
#include "guest.h"

static void* body(void* argument) {
  for (int i = 0; i < 5; i++) {
    pid_t child = SYS(fork());
    if (child == 0) {
      CHECK(syscall(SYS_gettid) == getpid());
      _exit(10 + (int)(intptr_t)argument);
    }
    CHECK(wait_exit(child) == 10 + (int)(intptr_t)argument);
    printf("thread %d forked %d\n", (int)(intptr_t)argument, child);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[3];
  for (intptr_t i = 0; i < 3; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  for (int i = 0; i < 3; i++) OK(pthread_join(threads[i], NULL));
  return success();
}
