// sigaltstack: the handler runs on the other stack; its state is visible.
#include "guest.h"

static char* stack;
static size_t size = 65536;
static volatile int on_stack, flags_inside;

static void handler(int signal) {
  char here;
  stack_t current;
  (void)signal;
  on_stack = &here > stack && &here < stack + size;
  sigaltstack(NULL, &current);
  flags_inside = current.ss_flags;
}

int main(void) {
  stack = malloc(size);
  stack_t set = {.ss_sp = stack, .ss_flags = 0, .ss_size = size}, old;
  SYS(sigaltstack(&set, &old));
  CHECK(old.ss_flags == SS_DISABLE);
  struct sigaction action = {.sa_flags = SA_ONSTACK};
  action.sa_handler = handler;
  SYS(sigaction(SIGUSR1, &action, NULL));
  raise(SIGUSR1);
  CHECK(on_stack && flags_inside == SS_ONSTACK);
  action.sa_flags = 0;
  SYS(sigaction(SIGUSR1, &action, NULL));
  raise(SIGUSR1);
  CHECK(!on_stack);
  printf("alternate stack at %p\n", (void*)stack);
  set.ss_flags = SS_DISABLE;
  SYS(sigaltstack(&set, NULL));
  free(stack);
  return success();
}
