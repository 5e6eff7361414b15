"""Watchpoints that debug registers are too few for: a large array, and many at once; whatever kind of instruction writes, reads, or stops in
front of them, on pages that are written to all the time, and on a stack that has yet to grow."""

import re
import subprocess
import sys

from debugging import Client, compiled, gdb, recorded

PROGRAM = r"""
#include <stdio.h>
#include <string.h>
#include <unistd.h>
__attribute__((aligned(4096))) static struct { char before[256]; char watched[200]; char behind[4096]; } data;
static volatile long many[12];
static volatile long noise, sum;
__attribute__((noinline)) static void plain(int at, char value) { data.watched[at] = value; }
__attribute__((noinline)) static void across(char* to, long value) { *(volatile long*)to = value; }
__attribute__((noinline)) static void repeated(char* to, int value, long size) {
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
}
__attribute__((noinline)) static void around(int value) {
  for (int i = 0; i < 40; i++) { data.behind[i % 64] = value; data.before[i % 64] = i; noise += i; }
}
__attribute__((noinline)) static int deep(int n) {
  volatile char room[3000];
  memset((char*)room, n, sizeof room);
  return n == 0 ? room[5] : deep(n - 1) + room[7];
}
int main(void) {
  int pipes[2];
  plain(100, 1);
  around(1);
  across(data.watched - 4, 0x0202020202020202);
  around(2);
  repeated(data.before + 100, 3, 256);
  around(3);
  repeated(data.before + 16, 4, 200);  // ends in front of it
  pipe(pipes);
  write(pipes[1], "from the pipe", 13);
  read(pipes[0], data.watched + 50, 13);
  around(4);
  plain(199, 5);
  plain(199, 5);  // the same once more
  around(5);
  for (int i = 0; i < 12; i++) many[i] = i + 1;
  sum = data.watched[60] + many[7];
  sum += deep(120);
  printf("%ld %ld\n", sum, noise);
}
"""

program = compiled(PROGRAM, "-O1", "-fno-stack-protector", "-Wno-unused-result")
trace = recorded(program)

WRITERS = [r"plain \(at=(at@entry=)?199", r"read \(fd=", r"repeated", r"across", r"plain \(at=(at@entry=)?100"]
gdb(trace, "watch data.watched", *["continue", "bt 1"] * 5, "continue", options=()).expect(
    *(rf"Old value[^#]*#0 .*{writer}" for writer in reversed(WRITERS)), "end of the recording|No more reverse|exited|history")
gdb(trace, "watch data.watched", *["reverse-continue", "bt 1"] * 5, "reverse-continue", options=("--at-end",)).expect(
    *(rf"Old value[^#]*#0 .*{writer}" for writer in WRITERS), "No more reverse-execution history")
# `last` tells of a write of what was there, too.
gdb(trace, *["last data.watched", "bt 1", "info registers rip"] * 6, options=("--at-end",)).expect(
    r"#0 .*plain \(at=(at@entry=)?199", r"#0 .*plain \(at=(at@entry=)?199", r"#0 .*read \(fd=", r"#0 .*repeated", r"#0 .*across", r"#0 .*plain \(at=(at@entry=)?100")
watches = [f"watch many[{i}]" for i in range(12)]
gdb(trace, *watches, "reverse-continue", "print many", "reverse-continue", "print many", "delete 5-12", "reverse-continue", "print many",
    options=("--at-end",)).expect(r"many\[11\]", r"= \{.*11, 0\}", r"many\[10\]", r"10, 0, 0\}", r"many\[3\]", r"= \{1, 2, 3, 0")

# At the protocol's level: who reads, and positions that are found again.
listing = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
at = {name: 0x555555554000 + int(re.search(rf"^(\w+) . {name}$", listing, re.MULTILINE)[1], 16) for name in ("data", "many", "sum")}
client = Client(trace)
for kind, expected in ((4, 5), (3, 1)):
    client.monitor("seek begin")
    client.ask(f"Z{kind},{at['data'] + 256:x},c8")
    seen = []
    while "watch:" in (stop := client.ask("vCont;c")) and len(seen) < 20:
        seen.append((client.where(), client.state()))
    if len(seen) < expected:
        sys.exit(f"watching by Z{kind} stopped at {seen}")
    for _ in range(2):  # behind the last, then in front of it and each before
        client.ask("bc")
    for _, state in reversed(seen[:-1]):
        where = client.where()
        client.ask("vCont;s:" + client.stopped_thread())
        if client.state() != state:
            sys.exit(f"going back by Z{kind} leads to {where}, not in front of {seen}")
        client.ask("bs")
        client.ask("bc")
    client.ask(f"z{kind},{at['data'] + 256:x},c8")

# Where the stack has not come to yet.
client.monitor("seek end")
stack = client.register("rsp") - 300000
client.monitor("seek begin")
client.ask(f"Z2,{stack:x},800")
stop = client.ask("vCont;c")
here = (client.where(), client.state())
if "watch:" not in stop or client.register("rsp") > stack + 0x4000:
    sys.exit(f"a stack that grows: {stop} at {here[0]}")
client.monitor("seek end")
for _ in range(200):
    stop = client.ask("bc")
    if "watch:" not in stop:
        break
client.close()
