// rt_sigqueueinfo and rt_tgsigqueueinfo: siginfo made by the program.
#include "guest.h"

static volatile siginfo_t seen;
static volatile int count;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  *(siginfo_t*)&seen = *info;
  count++;
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = handler;
  SYS(sigaction(SIGRTMIN, &action, NULL));
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_code = -77;
  info.si_pid = 4242;
  info.si_value.sival_int = 17;
  SYS(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info));
  CHECK(count == 1 && seen.si_code == -77 && seen.si_pid == 4242 && seen.si_value.sival_int == 17);
  info.si_value.sival_int = 18;
  SYS(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGRTMIN, &info));
  CHECK(count == 2 && seen.si_value.sival_int == 18);
  info.si_code = SI_USER;
  pid_t child = SYS(fork());
  if (child == 0) {
    FAILS(syscall(SYS_rt_sigqueueinfo, getppid(), SIGRTMIN, &info), EPERM);
    _exit(0);
  }
  CHECK(wait_exit(child) == 0);
  printf("code %d value %d\n", seen.si_code, seen.si_value.sival_int);
  return success();
}
