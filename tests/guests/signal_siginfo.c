// SA_SIGINFO: the values of kill, sigqueue, tgkill and a child's end.
#include "guest.h"

static volatile siginfo_t seen[4];
static volatile int count;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal;
  CHECK(context != NULL);
  ((siginfo_t*)seen)[count++] = *info;
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = handler;
  SYS(sigaction(SIGUSR1, &action, NULL));
  SYS(sigaction(SIGCHLD, &action, NULL));
  SYS(kill(getpid(), SIGUSR1));
  SYS(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 1234}));
  SYS(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
  pid_t child = SYS(fork());
  if (child == 0) _exit(21);
  while (count < 4) usleep(1000);
  CHECK(seen[0].si_code == SI_USER && seen[0].si_pid == getpid());
  CHECK(seen[1].si_code == SI_QUEUE && seen[1].si_value.sival_int == 1234);
  CHECK(seen[2].si_code == SI_TKILL);
  CHECK(seen[3].si_code == CLD_EXITED && seen[3].si_pid == child && seen[3].si_status == 21);
  for (int i = 0; i < 4; i++) printf("signo %d code %d pid %d uid %d\n", seen[i].si_signo, seen[i].si_code, seen[i].si_pid, seen[i].si_uid);
  wait(NULL);
  return success();
}
