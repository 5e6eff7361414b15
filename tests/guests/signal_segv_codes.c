// si_code and si_addr of different memory faults, each left by siglongjmp.
#include "guest.h"
#include <setjmp.h>

static sigjmp_buf back;
static volatile int code;
static void* volatile address;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  code = info->si_code;
  address = info->si_addr;
  siglongjmp(back, signal);
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = handler;
  SYS(sigaction(SIGSEGV, &action, NULL));
  char* page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* volatile targets[] = {(char*)24, page + 8, (char*)0x8000000000000000ul, (char*)main};
  int expected[] = {SEGV_MAPERR, SEGV_ACCERR, SI_KERNEL, SEGV_ACCERR};
  for (int i = 0; i < 4; i++) {
    int signal = sigsetjmp(back, 1);
    if (signal == 0) {
      *(volatile char*)targets[i] = 1;
      CHECK(!"the write succeeded");
    }
    printf("fault %d code %d address %p\n", i, code, address);
    CHECK(code == expected[i] && (i == 2 || address == targets[i]));
  }
  int signal = sigsetjmp(back, 1);
  if (signal == 0) ((void (*)(void))page)();
  CHECK(signal == SIGSEGV && address == page);
  return success();
}
