// One thread takes all signals with sigwait; the others have them blocked.
#include "guest.h"

static void* taker(void* argument) {
  int sum = 0, signal;
  for (int i = 0; i < 10; i++) {
    OK(sigwait(argument, &signal));
    sum += signal;
  }
  return (void*)(long)sum;
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigaddset(&set, SIGRTMIN + 1);
  OK(pthread_sigmask(SIG_BLOCK, &set, NULL));
  pthread_t thread;
  OK(pthread_create(&thread, NULL, taker, &set));
  for (int i = 0; i < 10; i++) {
    SYS(kill(getpid(), SIGRTMIN + i % 2));
    if (i % 3 == 0) usleep(300);
  }
  void* sum;
  OK(pthread_join(thread, &sum));
  printf("sum %ld\n", (long)sum);
  CHECK((long)sum == 10 * SIGRTMIN + 5);
  return success();
}
