// SIGSYS belongs to the program: its handler, its mask and its default action, whatever tmrec uses it for.
#include "guest.h"

#include <sys/wait.h>

static volatile sig_atomic_t arrived;
static void handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  arrived += signal == SIGSYS && info->si_code <= 0;
  for (int i = 0; i < 60; i++) getppid();
}

static void many(void) {
  for (int i = 0; i < 100; i++) CHECK(syscall(SYS_getppid) > 0);
}

int main(void) {
  many();
  struct sigaction old, action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGSYS, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
  many();
  CHECK(sigaction(SIGSYS, &action, &old) == 0 && old.sa_handler == SIG_DFL);
  for (int round = 0; round < 10; round++) {
    many();
    CHECK(raise(SIGSYS) == 0 && arrived == round + 1);
    CHECK(sigaction(SIGSYS, NULL, &old) == 0 && old.sa_sigaction == handler);
  }
  sigset_t only, before;
  sigemptyset(&only);
  sigaddset(&only, SIGSYS);
  CHECK(sigprocmask(SIG_BLOCK, &only, &before) == 0);
  CHECK(raise(SIGSYS) == 0 && arrived == 10);
  many();
  CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0 && arrived == 11);
  many();
  pid_t child = fork();
  if (child == 0) {
    many();
    signal(SIGSYS, SIG_DFL);
    many();
    raise(SIGSYS);
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
  many();
  printf("%d signals\n", (int)arrived);
  return success();
}
