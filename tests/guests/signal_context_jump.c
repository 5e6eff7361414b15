// A handler redirects the program by changing the instruction pointer, stack and mask in the context.
#include "guest.h"
#include <ucontext.h>

static char other_stack[65536] __attribute__((aligned(16)));

static void elsewhere(void) {
  sigset_t now;
  int here;
  SYS(sigprocmask(SIG_SETMASK, NULL, &now));
  CHECK(sigismember(&now, SIGHUP));
  CHECK((char*)&here > other_stack && (char*)&here < other_stack + sizeof other_stack);
  printf("now at %p\n", (void*)&here);
  exit(success());
}

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)info;
  ucontext_t* c = context;
  c->uc_mcontext.gregs[REG_RIP] = (greg_t)elsewhere;
  c->uc_mcontext.gregs[REG_RSP] = (greg_t)(other_stack + sizeof other_stack - 8);
  sigaddset(&c->uc_sigmask, SIGHUP);
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = handler;
  SYS(sigaction(SIGUSR1, &action, NULL));
  kill(getpid(), SIGUSR1);
  return 1;
}
