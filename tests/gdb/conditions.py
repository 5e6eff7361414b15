"""Conditions of breakpoints are worked out next to the program, forwards and backwards: exact with many false hits within one tick and over
patched loops, on watched memory, and where a condition can't be worked out."""

import re
import subprocess
import sys

from debugging import Client, compiled, gdb, recorded

PROGRAM = r"""
#include <stdio.h>
static volatile long total;
static struct { long key; struct { short at[4]; } inner; } *volatile none, some = {7, {{1, -2, 3, 4}}};
__attribute__((noinline)) static void add(int i, long v) { total += v ^ i; }
int main(void) {
  add(-1, 1); add(-2, 2); add(-3, 3); add(-4, 4); add(-3, 5);
  for (int i = 0; i < 3000; i++) add(i, i % 7);
  printf("%ld\n", total + (none != 0) + some.key);
}
"""

trace = recorded(compiled(PROGRAM, "-O1"))
gdb(trace, "break add if i == 2999", "continue", "print i", "delete", "break add if i == -3", "reverse-continue", "print v", "reverse-continue", "print v",
    "continue", "print v", "delete", "break add if v > 5 && i >= 1000 && (unsigned char)i != 4 && some.inner.at[1] == -2", "continue", "print i",
    "delete", "break add if none->key == 1", "continue", "print i", "delete", "break add if i == 2000", "watch total if total > 100", "continue",
    "print total > 100", "delete", "break add if i % 1000 == 999", "break add if i == 1500", "continue", "print i", "continue", "print i", "reverse-continue",
    "print i", "reverse-continue", "print i").expect(
        r"\$1 = 2999", r"\$2 = 5", r"\$3 = 3", r"\$4 = 5", r"\$5 = 1000", r"\$6 = 1001", r"\$7 = 1", r"\$8 = 1500", r"\$9 = 1999", r"\$10 = 1500",
        r"\$11 = 999", "Error in testing (breakpoint )?condition", "Cannot access memory at address 0x0")

# What the client may send as a condition, and a stop only where it is true.
client = Client(trace)
names = [n for n, _ in client.registers]
listing = subprocess.run(["nm", client.object("exec-file")], capture_output=True, text=True).stdout
at = 0x555555554000 + int(re.search(r"^(\w+) . add$", listing, re.MULTILINE)[1], 16)
rdi = names.index("rdi")
is_2500 = f"26{rdi:04x}2309c41327"  # reg, const16 2500, equal, end
client.ask(f"Z0,{at:x},1;X{len(is_2500) // 2:x},{is_2500}")
stop = client.ask("vCont;c")
if "swbreak" not in stop or client.register("rdi") != 2500:
    sys.exit(f"a condition stopped with {stop} at round {client.register('rdi')}")
place = client.where()
client.ask("bs")
client.ask("vCont;s:" + client.stopped_thread())
if client.where() != place:
    sys.exit(f"back and forth leads to {client.where()} instead of {place}")
client.ask(f"Z0,{at:x},1;X2,2227")  # cut off: the client is to find out
client.ask("vCont;s:" + client.stopped_thread())
client.ask("vCont;c")
if client.register("rdi") != 2501:
    sys.exit(f"a condition that can't be worked out stopped at round {client.register('rdi')}")
client.close()
