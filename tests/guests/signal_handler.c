// A handler runs, sees the signal's number, and the program goes on where it was.
#include "guest.h"

static volatile sig_atomic_t count, last;
static void* volatile frame;

static void handler(int signal) {
  int here;
  frame = &here;
  count++;
  last = signal;
}

int main(void) {
  struct sigaction action = {.sa_flags = 0}, old;
  action.sa_handler = handler;
  SYS(sigaction(SIGUSR1, &action, NULL));
  SYS(sigaction(SIGUSR2, &action, &old));
  CHECK(old.sa_handler == SIG_DFL);
  for (int i = 0; i < 10; i++) SYS(kill(getpid(), i % 2 ? SIGUSR1 : SIGUSR2));
  CHECK(count == 10 && last == SIGUSR1);
  printf("%d signals, frame near %p\n", (int)count, frame);
  return success();
}
