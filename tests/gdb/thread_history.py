"""Threads in a debugger: scheduler-locking does not reorder history, steps stay with their thread, a thread is gone back to its birth and on to its end."""

import re
import sys

from debugging import compiled, gdb, recorded, run_scenarios, scenario

PROGRAM = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
static volatile int turns[3], order[12], filled;
static pthread_barrier_t all;
static void turn(long who, int n) { turns[who] = n; order[filled++] = (int)who; }
static void* work(void* arg) {
  pthread_setname_np(pthread_self(), (long)arg == 1 ? "first" : "second");
  for (int n = 1; n <= 3; n++) {
    turn((long)arg, n);
    pthread_barrier_wait(&all);
  }
  return arg;
}
int main(void) {
  pthread_t t[2];
  pthread_barrier_init(&all, 0, 2);
  for (long i = 0; i < 2; i++) pthread_create(&t[i], 0, work, (void*)(i + 1));
  for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
  abort();
}
"""

trace = recorded(compiled(PROGRAM), status=134)


@scenario
def scheduler_locking_does_not_reorder_history():
    """Stepping one thread with the others locked, and letting all run, come to the same end."""
    locked = gdb(trace, "break turn if n == 2", "continue", "set scheduler-locking on", "delete", *["next"] * 4, "set scheduler-locking off", "continue", "print order")
    free = gdb(trace, "continue", "print order")
    orders = [re.search(r"^\$\d+ = (\{.*)$", text, re.MULTILINE)[1] for text in (locked, free)]
    if orders[0] != orders[1]:
        sys.exit(f"{orders}\n{locked}")


@scenario
def steps_stay_with_their_thread():
    text = gdb(trace, "break turn if who == 2 && n == 2", "continue", "set $here = $_thread", "delete", *["reverse-next"] * 3, "print $_thread == $here", *["next"] * 3,
               "print $_thread == $here", "reverse-stepi", "stepi", "print $_thread == $here")
    text.expect(r"turn .who=2, n=2", r"\$1 = 1", r"\$2 = 1", r"\$3 = 1")


@scenario
def names_are_those_of_the_moment():
    gdb(trace, "break turn if who == 2 && n == 3", "continue", "info threads", "seek begin", "info threads", "continue", "info threads").expect(
        '"(first|second)"', '"(first|second)"', "_start", '"program', '"(first|second)"', '"(first|second)"')


@scenario
def a_watchpoint_sees_all_threads():
    text = gdb(trace, "watch filled", *["continue"] * 6, "reverse-continue", *["reverse-continue"] * 5)
    values = re.findall(r"^New value = (\d+)$", text, re.MULTILINE)
    if values != list("123456") + list("543210"):
        sys.exit(f"{values}\n{text}")


@scenario
def a_breakpoint_for_one_thread():
    gdb(trace, "break turn if who == 2", "continue", "set $second = $_thread", "delete", "break turn", "python gdb.breakpoints()[0].thread = gdb.selected_thread().num",
        "continue", "print who", "continue", "print who", "reverse-continue", "print who").expect(r"who=2, n=1", r"\$\d = 2", r"\$\d = 2", r"\$\d = 2")


@scenario
def every_thread_has_its_stack():
    gdb(trace, "break turn if who == 2 && n == 1", "continue", "thread apply all -q bt -3", "thread name", "frame 1", "info locals", "thread 1", "bt -1").expect(
        "who=2, n=1", "work|clone", "main", "work", "n = 1", "main")


run_scenarios()
