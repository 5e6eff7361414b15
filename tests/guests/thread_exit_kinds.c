// Threads that end by return, by pthread_exit from a nested call, and by the raw exit system call.
#include "guest.h"

static void deep(int n) {
  if (n == 0) pthread_exit((void*)77L);
  deep(n - 1);
  puts("unreachable");
}

static void* nested(void* unused) {
  deep(5);
  return unused;
}

static void* raw(void* unused) {
  syscall(SYS_exit, 3);
  return unused;
}

int main(void) {
  pthread_t threads[2];
  void* value;
  OK(pthread_create(&threads[0], NULL, nested, NULL));
  OK(pthread_join(threads[0], &value));
  CHECK(value == (void*)77L);
  OK(pthread_create(&threads[1], NULL, raw, NULL));
  OK(pthread_join(threads[1], NULL));
  printf("both threads of %d ended\n", getpid());
  return success();
}
