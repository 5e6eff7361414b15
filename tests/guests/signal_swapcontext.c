// Coroutines by swapcontext, which save and restore the mask through system calls.
#include "guest.h"
#include <ucontext.h>

static ucontext_t main_context, coroutine;
static char stack[65536];
static int steps;

static void body(void) {
  for (int i = 0; i < 10; i++) {
    steps += i;
    swapcontext(&coroutine, &main_context);
  }
}

int main(void) {
  SYS(getcontext(&coroutine));
  coroutine.uc_stack.ss_sp = stack;
  coroutine.uc_stack.ss_size = sizeof stack;
  coroutine.uc_link = &main_context;
  makecontext(&coroutine, body, 0);
  for (int i = 0; i < 11; i++) SYS(swapcontext(&main_context, &coroutine));
  printf("steps %d stack %p\n", steps, (void*)stack);
  CHECK(steps == 45);
  return success();
}
