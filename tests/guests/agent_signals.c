// Signals that calls of the program itself raise come before the call returns, also among thousands of other calls.
#include "guest.h"

static volatile sig_atomic_t arrived;
static void handler(int signal) {
  (void)signal;
  arrived++;
  getppid();
}

static void many(void) {
  for (int i = 0; i < 50; i++) CHECK(syscall(SYS_getppid) == getppid());
}

int main(void) {
  struct sigaction action = {.sa_handler = handler};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGPIPE, &action, NULL) == 0);
  int ends[2];
  CHECK(pipe(ends) == 0);
  char byte = 0;
  int expected = 0;
  for (int round = 0; round < 100; round++) {
    many();
    CHECK(kill(getpid(), SIGUSR1) == 0 && arrived == ++expected);
    CHECK(raise(SIGUSR1) == 0 && arrived == ++expected);
    CHECK(write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1);
    sigset_t all, before;
    sigfillset(&all);
    CHECK(sigprocmask(SIG_SETMASK, &all, &before) == 0);  // SIGSYS with the rest
    CHECK(kill(getpid(), SIGUSR1) == 0 && arrived == expected);
    many();
    CHECK(arrived == expected && sigprocmask(SIG_SETMASK, &before, NULL) == 0);
    CHECK(arrived == ++expected);
  }
  CHECK(close(ends[0]) == 0);
  for (int round = 0; round < 20; round++) {
    CHECK(write(ends[1], &byte, 1) == -1 && errno == EPIPE && arrived == ++expected);
  }
  printf("%d signals\n", (int)arrived);
  return success();
}
