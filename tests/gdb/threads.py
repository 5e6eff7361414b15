"""64 threads: listed with their names, each with its stack; a deadlock is found by looking at who waits for whom; watching
a counter shows who lost an update."""

from debugging import compiled, gdb, recorded, run_scenarios, scenario

MANY = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static pthread_barrier_t all;
static int sums[64];
static void* work(void* arg) {
  char name[16];
  long n = (long)arg;
  snprintf(name, sizeof name, "worker-%ld", n);
  pthread_setname_np(pthread_self(), name);
  pthread_barrier_wait(&all);
  for (int i = 0; i <= n; i++) sums[n] += i;
  if (n == 63) abort();
  pthread_barrier_wait(&all);
  return arg;
}
int main(void) {
  pthread_t t[64];
  pthread_barrier_init(&all, 0, 64);
  for (long i = 0; i < 64; i++) pthread_create(&t[i], 0, work, (void*)i);
  for (int i = 0; i < 64; i++) pthread_join(t[i], 0);
}
"""
trace = recorded(compiled(MANY), status=134)


@scenario
def sixty_four_threads():
    text = gdb(trace, "info threads", "frame function work", "print n", "thread apply all -q bt 1", "watch sums[63]", "reverse-continue",
               "reverse-continue", "print sums[63]", "info threads", options=["--at-end"])
    text.expect('"worker-63"', r"\$1 = 63", "#0", "Old value = 2016", "New value = 1953", "New value = 1891", r"\$2 = 1891")
    for n in (0, 31, 62):
        text.expect(f'"worker-{n}" .*in futex')


DEADLOCK = r"""
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static void* other(void* arg) { pthread_mutex_lock(&b); usleep(20000); pthread_mutex_lock(&a); return arg; }
int main(void) {
  pthread_t t;
  alarm(1);
  pthread_mutex_lock(&a);
  pthread_create(&t, 0, other, 0);
  usleep(20000);
  pthread_mutex_lock(&b);
}
"""
locked = recorded(compiled(DEADLOCK), status=142)


@scenario
def a_deadlock():
    gdb(locked, "thread apply all -q bt", "print a.__data.__owner", "info threads",
        "watch a.__data.__owner", "reverse-continue", "bt", options=["--at-end"]).expect(
            "in other|in main", "in other|in main", r"\$1 = \d+", "New value = 0", r"lock", "in main")


run_scenarios()
