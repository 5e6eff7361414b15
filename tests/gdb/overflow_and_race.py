"""A stack overflow, seen at its end and at its beginning; a race that --chaos brings out, and who lost the update."""

import subprocess
import sys

from debugging import TMREC, compiled, gdb, recorded, run_scenarios, scenario, scratch

DEEP = r"""
#include <stdio.h>
static volatile int depth;
static int down(int n) { char room[4096]; room[n % 4096] = (char)n; depth = n; return down(n + 1) + room[n % 4096]; }
int main(void) { puts("down"); return down(1); }
"""
deep = recorded(compiled(DEEP), status=139)


@scenario
def a_stack_overflow():
    gdb(deep, "bt 2", "up", "print n > 1000", "print depth > 1000", "bt -1", "break down if n == 3", "reverse-continue", "bt", "print depth", "last depth", "print n",
        options=["--at-end"]).expect(r"#0 .*down \(n=", r"#1 .*down \(n=\d{4}", r"\$1 = 1", r"\$2 = 1", r"#\d+ .*main",
                                     r"down \(n=3\)", r"#0 .*down \(n=3\)", r"#2 .*down \(n=1\)", r"#3 .*main", r"\$3 = 2", "written here: 1 before, 2 after",
                                     r"\$4 = 2")


RACE = r"""
#include <pthread.h>
#include <stdlib.h>
static long balance;
static void deposit(long n) { long old = balance; for (volatile int i = 0; i < 300; i++);
  balance = old + n;
}
static void* work(void* arg) { for (int i = 0; i < 200; i++) deposit(1); return arg; }
int main(void) {
  pthread_t t[2];
  for (int i = 0; i < 2; i++) pthread_create(&t[i], 0, work, 0);
  for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
  if (balance != 400) abort();
}
"""
program = compiled(RACE)
for attempt in range(20):
    race = f"{scratch}/race-{attempt}"
    done = subprocess.run([TMREC, "record", "-q", "--chaos", f"--seed={attempt + 1}", "-o", race, "--", program], capture_output=True, timeout=60)
    if done.returncode == 134:
        break
else:
    sys.exit("20 chaotic recordings brought no race out")
# The lost update: the last time that somebody has changed the balance since it was read.
LINE = 1 + RACE.split("\n").index("  balance = old + n;")


@scenario
def a_race_that_chaos_brings_out():
    gdb(race, "print balance < 400", f"break {program}.c:{LINE} if balance != old", "reverse-continue", "print balance - old != 0", "set $mine = $_thread",
        "delete", "last balance", "print $_thread != $mine", "bt 2", "info threads", options=["--at-end"]).expect(
            r"\$1 = 1", f"{LINE}\\s+balance = old", r"\$2 = 1", "balance is written here", r"= 1$", "#0 .*deposit", "#1 .*work", r"\* +\d+ ")


run_scenarios()
