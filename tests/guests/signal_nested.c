// A handler interrupted by another signal's handler; sa_mask and SA_NODEFER decide.
#include "guest.h"

static volatile int depth, deepest, journal[16], length;

static void handler(int signal) {
  depth++;
  if (depth > deepest) deepest = depth;
  journal[length++] = signal;
  if (signal == SIGUSR1) raise(SIGUSR2);
  if (signal == SIGUSR2) raise(SIGHUP);
  if (signal == SIGHUP && length < 6) raise(SIGHUP);
  journal[length++] = -signal;
  depth--;
}

int main(void) {
  struct sigaction action = {.sa_flags = 0};
  action.sa_handler = handler;
  SYS(sigaction(SIGUSR1, &action, NULL));
  action.sa_flags = SA_NODEFER;
  SYS(sigaction(SIGHUP, &action, NULL));
  action.sa_flags = 0;
  SYS(sigaction(SIGUSR2, &action, NULL));
  raise(SIGUSR1);
  for (int i = 0; i < length; i++) printf("%d ", journal[i]);
  printf("deepest %d\n", deepest);
  CHECK(deepest == 6 && depth == 0);
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGUSR2);
  SYS(sigaction(SIGUSR1, &action, NULL));
  length = deepest = 0;
  raise(SIGUSR1);
  CHECK(journal[0] == SIGUSR1 && journal[1] == -SIGUSR1 && journal[2] == SIGUSR2);
  return success();
}
