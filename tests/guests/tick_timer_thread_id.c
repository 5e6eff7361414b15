// POSIX timers at 1 kHz that signal one thread each (SIGEV_THREAD_ID) while all of them compute.
#include "tick.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { kThreads = 3, kTicks = 20 };
static __thread volatile int own_ticks;
static __thread int own_number;
static volatile int strangers;

static void on_timer(int signal, siginfo_t* info, void* context) {
  const ucontext_t* c = context;
  if (signal != SIGRTMIN + 2 || info->si_code != SI_TIMER) _exit(95);
  if (!tick_in_module((uintptr_t)c->uc_mcontext.gregs[REG_RIP])) _exit(96);
  if (info->si_value.sival_int != own_number) strangers++;
  own_ticks++;
}

static void* body(void* argument) {
  own_number = (int)(long)argument;
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGRTMIN + 2;
  event.sigev_value.sival_int = own_number;
  event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
  timer_t timer;
  SYS(timer_create(CLOCK_MONOTONIC, &event, &timer));
  struct itimerspec spec = {{0, 1000000}, {0, 1000000}};
  SYS(timer_settime(timer, 0, &spec, NULL));
  uint64_t rounds = 0;
  while (own_ticks < kTicks) rounds++;
  SYS(timer_delete(timer));
  return (void*)rounds;
}

int main(void) {
  tick_find_modules();
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART};
  action.sa_sigaction = on_timer;
  SYS(sigaction(SIGRTMIN + 2, &action, NULL));
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; i++) OK(pthread_create(&threads[i], NULL, body, (void*)(i + 1)));
  for (int i = 0; i < kThreads; i++) {
    void* rounds;
    OK(pthread_join(threads[i], &rounds));
    printf("thread %d: %lu rounds\n", i + 1, (unsigned long)rounds);
  }
  CHECK(strangers == 0);
  return success();
}
