// Signals within signals, all of them while computing: each handler spins until the next deeper one has been.
#include "tick.h"

enum { kDepth = 6 };
static volatile int depth, deepest, order[2 * kDepth], orders;
static volatile uint64_t state = 1;
static pthread_t target;

static void handler(int signal, siginfo_t* info, void* context) {
  const ucontext_t* c = context;
  if (!tick_in_module((uintptr_t)c->uc_mcontext.gregs[REG_RIP]) || info->si_signo != signal) _exit(96);
  int own = ++depth;
  order[orders++] = signal;
  if (own > deepest) deepest = own;
  while (deepest < kDepth) state = state * 3 + 1;
  order[orders++] = -signal;
  depth = own - 1;
}

// Sends one signal more whenever the last one is being handled.
static void* sender(void* argument) {
  for (int i = 0; i < kDepth; i++) {
    while (deepest < i) continue;
    OK(pthread_kill(target, SIGRTMIN + i));
  }
  return argument;
}

int main(void) {
  tick_find_modules();
  target = pthread_self();
  for (int i = 0; i < kDepth; i++) {
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = handler;
    SYS(sigaction(SIGRTMIN + i, &action, NULL));
  }
  for (int round = 0; round < 5; round++) {
    deepest = 0, orders = 0;
    pthread_t thread;
    OK(pthread_create(&thread, NULL, sender, NULL));
    while (deepest < kDepth || depth > 0) state = state * 5 + 3;
    OK(pthread_join(thread, NULL));
    CHECK(orders == 2 * kDepth);
    for (int i = 0; i < kDepth; i++) CHECK(order[i] == SIGRTMIN + i && order[2 * kDepth - 1 - i] == -order[i]);
  }
  printf("state %lx\n", state);
  return success();
}
