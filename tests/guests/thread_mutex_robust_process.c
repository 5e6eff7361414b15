// A process killed while it owns a robust mutex that others wait for.
#include "guest.h"

int main(void) {
  pthread_mutex_t* mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(mutex != MAP_FAILED);
  pthread_mutexattr_t attributes;
  OK(pthread_mutexattr_init(&attributes));
  OK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
  OK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED));
  OK(pthread_mutex_init(mutex, &attributes));
  int fds[2];
  SYS(pipe(fds));
  pid_t owner = SYS(fork());
  if (owner == 0) {
    OK(pthread_mutex_lock(mutex));
    CHECK(write(fds[1], "x", 1) == 1);
    for (;;) pause();
  }
  char c;
  CHECK(read(fds[0], &c, 1) == 1);
  pid_t waiter = SYS(fork());
  if (waiter == 0) {
    CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD);
    OK(pthread_mutex_consistent(mutex));
    OK(pthread_mutex_unlock(mutex));
    _exit(44);
  }
  sleep_ms(20);
  SYS(kill(owner, SIGKILL));
  CHECK(wait_exit(owner) == 128 + SIGKILL);
  CHECK(wait_exit(waiter) == 44);
  OK(pthread_mutex_lock(mutex));
  printf("owner %d died, waiter %d went on, mutex word is ours: %d\n", owner, waiter, mutex->__data.__lock & 0x3fffffff);
  CHECK((mutex->__data.__lock & 0x3fffffff) == getpid());
  return success();
}
