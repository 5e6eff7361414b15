"""A recording whose ticks a counter counted that stops anywhere: forwards and backwards over preemptions."""

import re

from debugging import compiled, gdb, recorded

PROGRAM = r"""
#include <pthread.h>
static volatile long turns[2], sums[2];
static void turn(long who, int n) { turns[who] = n; }
static void* work(void* who) {
  for (int n = 1; n <= 40; n++) {
    for (int i = 0; i < 20; i++) sums[(long)who] += i & 3;
    turn((long)who, n);
  }
  return 0;
}
int main(void) {
  pthread_t t[2];
  for (long i = 0; i < 2; i++) pthread_create(&t[i], 0, work, (void*)i);
  for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
  return 5;
}
"""

trace = recorded(compiled(PROGRAM, "-static"), status=5, options=("--ticks=stepped", "--slice=60"))
text = gdb(trace, "break turn if who == 1 && n == 30", "continue", "monitor when", "print turns[0]", "stepi", "stepi", "monitor when",
           "reverse-stepi", "reverse-stepi", "monitor when", "delete", "break turn if who == 0 && n == 5", "reverse-continue", "monitor when", "bt 1",
           "delete", "break turn if who == 1 && n == 30", "continue", "monitor when", "print turns[0]", "delete", "continue", "print sums[0]")
text.expect("hit Breakpoint 1, turn .who=1, n=30", "hit Breakpoint 2, turn .who=0, n=5", "hit Breakpoint 3, turn .who=1, n=30")
places = re.findall(r"^position (\S+):", text, re.MULTILINE)
if not (len(places) == 5 and places[0] == places[2] == places[4] and len(set(places)) == 3):
    raise SystemExit(f"places: {places}\n{text}")
beside = re.findall(r"^\$\d = (\d+)", text, re.MULTILINE)
if not (beside[0] == beside[1] and 0 < int(beside[0]) <= 40):
    raise SystemExit(f"the other thread's turns: {beside}\n{text}")

text = gdb(trace, "print sums[0]", "watch sums[0]", "reverse-continue", "reverse-continue", "print sums[0]", "continue", "continue", options=("--at-end",))
text.expect(r"\$1 = 1200", "Old value = 1200", r"\$2 = 119\d")

# Each of the writes of 1, 2 and 3 is seen, whatever number of ticks is run through without a stop.
text = gdb(trace, "break turn if who == 0 && n == 10", "continue", "delete", "watch sums[0]", *["continue"] * 12)
changes = [(int(old), int(new)) for old, new in re.findall(r"^Old value = (\d+)\nNew value = (\d+)", text, re.MULTILINE)]
if not (len(changes) == 12 and all(1 <= new - old <= 3 for old, new in changes)):
    raise SystemExit(f"changes: {changes}\n{text}")
