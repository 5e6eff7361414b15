// Realtime signals queue: none is lost, order is kept, lower numbers come first.
#include "guest.h"

static volatile int numbers[64], values[64], count;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  numbers[count] = signal - SIGRTMIN;
  values[count++] = info->si_value.sival_int;
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = handler;
  sigset_t set, old;
  sigemptyset(&set);
  sigfillset(&action.sa_mask);
  for (int i = 0; i < 3; i++) {
    SYS(sigaction(SIGRTMIN + i, &action, NULL));
    sigaddset(&set, SIGRTMIN + i);
  }
  SYS(sigprocmask(SIG_BLOCK, &set, &old));
  for (int i = 0; i < 30; i++) SYS(sigqueue(getpid(), SIGRTMIN + 2 - i % 3, (union sigval){.sival_int = i}));
  SYS(sigprocmask(SIG_SETMASK, &old, NULL));
  CHECK(count == 30);
  for (int i = 0; i < 30; i++) printf("%d:%d ", numbers[i], values[i]);
  putchar('\n');
  for (int i = 0; i < 30; i++) CHECK(numbers[i] == i / 10 && values[i] % 3 == 2 - i / 10);
  return success();
}
