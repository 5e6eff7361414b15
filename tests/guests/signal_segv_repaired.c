// SIGSEGV on a protected page: the handler opens it and the access is repeated.
#include "guest.h"

static char* area;
static volatile int faults;
static void* volatile addresses[8];

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  addresses[faults++ & 7] = info->si_addr;
  char* page = (char*)((uintptr_t)info->si_addr & ~4095ul);
  if (mprotect(page, 4096, PROT_READ | PROT_WRITE) != 0) _exit(97);
}

int main(void) {
  area = mmap(NULL, 8 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = handler;
  SYS(sigaction(SIGSEGV, &action, NULL));
  for (int i = 0; i < 8; i++) {
    volatile char* p = area + i * 4096 + i * 8;
    *p = (char)('a' + i);
    CHECK(*p == 'a' + i && addresses[i] == p);
  }
  printf("%d faults in %p\n", faults, (void*)area);
  CHECK(faults == 8);
  return success();
}
