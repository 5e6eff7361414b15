// Signals directed at threads, and at a process of which one thread has them unblocked.
#include "guest.h"

static volatile int received[4];
static volatile int ready;
static __thread int self;

static void handler(int signal) {
  (void)signal;
  __atomic_fetch_add(&received[self], 1, __ATOMIC_SEQ_CST);
}

static void* body(void* argument) {
  self = (int)(long)argument;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  if (self == 2) pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
  while (received[self] < (self == 2 ? 2 : 1)) usleep(1000);
  return NULL;
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  SYS(sigprocmask(SIG_BLOCK, &set, NULL));
  signal(SIGUSR1, handler);
  signal(SIGUSR2, handler);
  pthread_t threads[4];
  for (long i = 1; i < 4; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  while (ready < 3) usleep(500);
  SYS(kill(getpid(), SIGUSR2));
  for (int i = 1; i < 4; i++) OK(pthread_kill(threads[i], SIGUSR1));
  for (int i = 1; i < 4; i++) OK(pthread_join(threads[i], NULL));
  printf("received %d %d %d %d\n", received[0], received[1], received[2], received[3]);
  CHECK(received[0] == 0 && received[1] == 1 && received[2] == 2 && received[3] == 1);
  return success();
}
