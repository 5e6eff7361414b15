"""One instruction back and one forward again is where one was: registers, stacks and positions, over system calls,
signals, thread switches and patched code."""

import random
import sys

from debugging import Client, compiled, events, recorded

# Two signals wait for a handler to return, which nothing is executed between; a third interrupts a call that goes on.
WAITING = r"""
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
static int pipes[2];
static volatile int calls;
static void first(int s) { raise(SIGUSR2); raise(SIGURG); calls++; }
static void other(int s) { calls++; }
static void* interrupt(void* main) {
  usleep(20000);
  pthread_kill(*(pthread_t*)main, SIGUSR1);
  usleep(20000);
  write(pipes[1], "x", 1);
  return 0;
}
int main(void) {
  struct sigaction a = {.sa_handler = first, .sa_flags = SA_RESTART};
  sigaddset(&a.sa_mask, SIGUSR2);
  sigaddset(&a.sa_mask, SIGURG);
  sigaction(SIGUSR1, &a, 0);
  a.sa_handler = other;
  sigaction(SIGUSR2, &a, 0);
  sigaction(SIGURG, &a, 0);
  pipe(pipes);
  raise(SIGUSR1);
  pthread_t t, self = pthread_self();
  pthread_create(&t, 0, interrupt, &self);
  char c;
  read(pipes[0], &c, 1);
  pthread_join(t, 0);
  return calls != 6;
}
"""

PROGRAM = r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
static volatile int hits, turns;
static char from[5000], to[5000];
static void on_alarm(int s) { hits++; }
static void* work(void* arg) {
  for (int i = 0; i < 2000; i++) turns++;
  write(1, "w", 1);
  return arg;
}
int main(void) {
  pthread_t t[2];
  signal(SIGALRM, on_alarm);
  struct itimerval every = {{0, 5000}, {0, 5000}};
  setitimer(ITIMER_REAL, &every, 0);
  for (int i = 0; i < 2; i++) pthread_create(&t[i], 0, work, 0);
  while (hits < 3) { turns++; memcpy(to, from, sizeof to); }
  for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
  memset(from, hits, sizeof from);
  printf("%d\n", memcmp(from, to, sizeof to) != 0);
}
"""


def check(trace, starts, chance, most):
    client = Client(trace)
    for event in starts:
        if "position" not in client.monitor(f"seek {event}"):
            continue
        thread = client.stopped_thread()
        client.ask(f"vCont;s:{thread}")  # out of a call, if it stood in one
        if client.stopped_thread() != thread:
            continue
        seen = []
        for _ in range(chance.randrange(3, most)):
            here = (client.where(), client.state())
            stop = client.ask(f"vCont;s:{thread}")
            if f"thread:{thread};" not in stop or "replaylog" in stop:
                break
            seen.append(here)
        if client.stopped_thread() != thread:
            continue
        for expected in reversed(seen):
            client.ask("bs")
            actual = (client.where(), client.state())
            if actual != expected:
                sys.exit(f"event {event}: at {actual[0]} after going back, expected {expected[0]}"
                         f"{' with another state' if actual[0] == expected[0] else ''}")
    client.close()


chance = random.Random(1)
trace = recorded(compiled(PROGRAM))
check(trace, [chance.randrange(2, len(events(trace))) for _ in range(25)], chance, 12)
trace = recorded(compiled(WAITING))
check(trace, [number - 2 for number, what in events(trace) if "-> handler" in what], chance, 60)
