// What guests that compute share: a workload is run while alarms interrupt it, while another thread must get its turns,
// and in two threads at once, and must give the same value each time. Each part ends by what was observed, not by time:
// where computing threads are never interrupted it does not end.
#pragma once

#include <link.h>
#include <ucontext.h>

#include "guest.h"

// The executable segments of all modules.
static struct {
  uintptr_t begin, end;
} tick_text[64];
static volatile int tick_texts;
static uintptr_t tick_own_begin, tick_own_end;

static int tick_add_module(struct dl_phdr_info* info, size_t size, void* argument) {
  (void)size, (void)argument;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr)* p = &info->dlpi_phdr[i];
    if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || tick_texts == 64) continue;
    tick_text[tick_texts].begin = info->dlpi_addr + p->p_vaddr;
    tick_text[tick_texts].end = info->dlpi_addr + p->p_vaddr + p->p_memsz;
    tick_texts = tick_texts + 1;
  }
  return 0;
}

__attribute__((unused)) static void tick_find_modules(void) {
  tick_texts = 0;
  dl_iterate_phdr(tick_add_module, NULL);
  CHECK(tick_texts > 0);
  for (int i = 0; i < tick_texts; i++) {
    uintptr_t own = (uintptr_t)&tick_find_modules;
    if (own < tick_text[i].begin || own >= tick_text[i].end) continue;
    tick_own_begin = tick_text[i].begin, tick_own_end = tick_text[i].end;
  }
  CHECK(tick_own_begin != 0);
}

__attribute__((unused)) static bool tick_in_module(uintptr_t at) {
  for (int i = 0; i < tick_texts; i++) {
    if (at >= tick_text[i].begin && at < tick_text[i].end) return true;
  }
  return false;
}

static volatile long tick_alarms;

static void tick_on_alarm(int signal, siginfo_t* info, void* context) {
  const ucontext_t* c = (const ucontext_t*)context;
  if (signal != SIGALRM || info->si_signo != SIGALRM) _exit(95);
  if (!tick_in_module((uintptr_t)c->uc_mcontext.gregs[REG_RIP])) {
    dprintf(2, "an alarm at %#llx, in no module\n", c->uc_mcontext.gregs[REG_RIP]);
    _exit(96);
  }
  tick_alarms = tick_alarms + 1;
}

__attribute__((unused)) static void tick_start_alarms(long microseconds) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  action.sa_sigaction = tick_on_alarm;
  SYS(sigaction(SIGALRM, &action, NULL));
  struct itimerval timer = {{0, microseconds}, {0, microseconds}};
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
}

__attribute__((unused)) static void tick_stop_alarms(void) {
  struct itimerval never = {{0, 0}, {0, 0}};
  SYS(setitimer(ITIMER_REAL, &never, NULL));
}

typedef uint64_t (*tick_workload)(void);
static volatile long tick_progress;
static volatile int tick_companion_stop;

static void* tick_companion(void* argument) {
  while (!tick_companion_stop) tick_progress = tick_progress + 1;
  return argument;
}

struct tick_twin {
  tick_workload work;
  uint64_t expected;
  long rounds;
};

static void* tick_twin_body(void* argument) {
  struct tick_twin* twin = (struct tick_twin*)argument;
  for (long i = 0; i < twin->rounds; i++) CHECK(twin->work() == twin->expected);
  return NULL;
}

// A thread that only counts: it must get its turns while the caller computes.
static long tick_beside_companion(tick_workload work, uint64_t expected) {
  pthread_t thread;
  long rounds = 0, changes = 0;
  tick_companion_stop = 0;
  OK(pthread_create(&thread, NULL, tick_companion, NULL));
  for (long seen = tick_progress; changes < 10; rounds++) {
    CHECK(work() == expected);
    if (tick_progress != seen) changes++;
    seen = tick_progress;
  }
  tick_companion_stop = 1;
  OK(pthread_join(thread, NULL));
  return rounds;
}

__attribute__((unused)) static void tick_run(tick_workload work) {
  tick_find_modules();
  uint64_t expected = work();
  printf("= %016lx\n", expected);
  tick_start_alarms(1000);
  long alone = 0;
  for (; tick_alarms < 30; alone++) CHECK(work() == expected);
  tick_stop_alarms();
  printf("%ld rounds, %ld alarms\n", alone, tick_alarms);
  long beside = tick_beside_companion(work, expected);
  printf("%ld rounds beside a thread that counted\n", beside);
  struct tick_twin twins[2] = {{work, expected, 10}, {work, expected, 10}};
  pthread_t threads[2];
  tick_start_alarms(1000);
  for (int i = 0; i < 2; i++) OK(pthread_create(&threads[i], NULL, tick_twin_body, &twins[i]));
  for (int i = 0; i < 2; i++) OK(pthread_join(threads[i], NULL));
  tick_stop_alarms();
  printf("%ld alarms\n", tick_alarms);
}
