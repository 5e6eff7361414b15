// Stack overflow, caught on the alternate stack and left by siglongjmp.
#include "guest.h"
#include <setjmp.h>
#include <sys/resource.h>

static sigjmp_buf back;
static void* volatile fault;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  fault = info->si_addr;
  siglongjmp(back, signal);
}

static int consume(int depth) {
  volatile char block[4096];
  block[0] = (char)depth;
  return consume(depth + 1) + block[0];
}

int main(void) {
  struct rlimit limit;
  SYS(getrlimit(RLIMIT_STACK, &limit));
  limit.rlim_cur = 512 * 1024;
  SYS(setrlimit(RLIMIT_STACK, &limit));
  stack_t set = {.ss_sp = malloc(65536), .ss_flags = 0, .ss_size = 65536};
  SYS(sigaltstack(&set, NULL));
  struct sigaction action = {.sa_flags = SA_ONSTACK | SA_SIGINFO};
  action.sa_sigaction = handler;
  SYS(sigaction(SIGSEGV, &action, NULL));
  for (int round = 0; round < 2; round++) {
    int signal = sigsetjmp(back, 1);
    if (signal == 0) consume(0);
    CHECK(signal == SIGSEGV);
    printf("overflow %d at %p\n", round, fault);
  }
  return success();
}
