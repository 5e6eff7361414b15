"""-p chooses a process: a forked child that crashes, a program that a shell executes; exec is followed."""

import os
import re
import subprocess

from debugging import TMREC, compiled, gdb, recorded

FORKS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static int divide(int a, int b) { return a / b; }
int main(void) {
  int shared = 7;
  pid_t child = fork();
  if (child == 0) { shared = 8; printf("%d\n", divide(shared, getppid() == 0)); exit(0); }
  int status;
  wait(&status);
  return divide(shared, 7) + status;
}
"""


def processes(trace):
    dump = subprocess.run([TMREC, "dump", trace], capture_output=True, text=True).stdout
    return [int(pid) for pid in re.findall(r"new task (\d+)|clone\(.*\) = (\d+)|fork\(\) = (\d+)", dump) for pid in pid if pid]


trace = recorded(compiled(FORKS), status=9)
child = processes(trace)[0]
gdb(trace, "break divide", "continue", "print b", "continue").expect("hit Breakpoint 1|Breakpoint 1, ", r"\$1 = 7")
gdb(trace, "bt", "up", "print shared", "info inferiors", options=["--at-end", "-p", str(child)]).expect(
    "#0 .*divide", "#1 .*main", r"\$1 = 8", f"process {child}")
gdb(trace, "break divide", "continue", "print b", "reverse-continue", "continue", options=["-p", str(child)]).expect(
    "Breakpoint 1, ", r"\$1 = 0", "No more reverse-execution history", "Breakpoint 1, ")

trace = recorded("/bin/sh", "-c", f"exec {compiled(FORKS)}", status=9)
gdb(trace, "catch exec", "continue", "break main", "continue", "next", "print shared", "reverse-continue").expect(
    "Catchpoint 1 .exec'd", "Breakpoint 2, main", r"shared|fork", "No more reverse-execution history|Breakpoint 2")
