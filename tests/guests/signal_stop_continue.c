// SIGSTOP and SIGCONT of a working child; SIGCHLD tells about both.
#include "guest.h"

static volatile int codes[8], count;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  if (count < 8) codes[count++] = info->si_code;
}

static void await(int n) {
  while (count < n) usleep(500);
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = handler;
  SYS(sigaction(SIGCHLD, &action, NULL));
  volatile long* progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child = SYS(fork());
  if (child == 0) {
    for (;;) {
      *progress += 1;
      usleep(500);
    }
  }
  while (*progress < 5) usleep(500);
  SYS(kill(child, SIGSTOP));
  await(1);
  long frozen = *progress;
  usleep(20000);
  CHECK(*progress == frozen);
  SYS(kill(child, SIGCONT));
  await(2);
  while (*progress < frozen + 3) usleep(500);
  SYS(kill(child, SIGTERM));
  await(3);
  CHECK(codes[0] == CLD_STOPPED && codes[1] == CLD_CONTINUED && codes[2] == CLD_KILLED);
  CHECK(wait_exit(child) == 128 + SIGTERM);
  printf("frozen at %ld, ended at %ld\n", frozen, *progress);
  return success();
}
