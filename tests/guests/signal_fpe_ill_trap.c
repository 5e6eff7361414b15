// SIGFPE, SIGILL and SIGTRAP from instructions; the handler steps over them by changing the context.
#include "guest.h"
#include <ucontext.h>

static volatile int signals[4], codes[4], count;

static void handler(int signal, siginfo_t* info, void* context) {
  ucontext_t* c = context;
  const unsigned char* pc = (const unsigned char*)c->uc_mcontext.gregs[REG_RIP];
  signals[count] = signal;
  codes[count++] = info->si_code;
  if (signal == SIGILL) c->uc_mcontext.gregs[REG_RIP] += 2;
  if (signal == SIGFPE) c->uc_mcontext.gregs[REG_RCX] = 7;
  if (signal == SIGTRAP) CHECK(pc[-1] == 0xcc);
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = handler;
  SYS(sigaction(SIGFPE, &action, NULL));
  SYS(sigaction(SIGILL, &action, NULL));
  SYS(sigaction(SIGTRAP, &action, NULL));
  __asm__ volatile("ud2");
  unsigned long quotient = 84, remainder = 0, divisor = 0;
  __asm__ volatile("div %%rcx" : "+a"(quotient), "+d"(remainder), "+c"(divisor));
  __asm__ volatile("int3");
  CHECK(count == 3 && signals[0] == SIGILL && signals[1] == SIGFPE && signals[2] == SIGTRAP);
  CHECK(quotient == 12 && divisor == 7);
  printf("codes %d %d %d quotient %lu\n", codes[0], codes[1], codes[2], quotient);
  return success();
}
