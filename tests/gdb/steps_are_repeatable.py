"""One instruction back and one forward again is where one was: registers, stacks and positions, over system calls,
signals, thread switches and patched code."""

import random
import sys

from debugging import Client, compiled, recorded

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


def check(trace, rounds, seed):
    chance = random.Random(seed)
    client = Client(trace)
    last = int(client.monitor("end").split()[0])
    for _ in range(rounds):
        event = chance.randrange(2, last)
        if "position" not in client.monitor(f"seek {event}"):
            continue
        thread = client.stopped_thread()
        client.ask(f"vCont;s:{thread}")  # out of a call, if it stood in one
        if client.stopped_thread() != thread:
            continue
        seen = []
        for _ in range(chance.randrange(3, 12)):
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
                sys.exit(f"seed {seed}, event {event}: at {actual[0]} after going back, expected {expected[0]}"
                         f"{' with another state' if actual[0] == expected[0] else ''}")
    client.close()


check(recorded(compiled(PROGRAM)), 25, 1)
