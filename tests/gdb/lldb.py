"""lldb on a recording, forwards: breakpoints, stacks, variables, steps, threads, memory, watchpoints, expressions, a crash, a fork."""

import functools
import re
import subprocess
import sys

from debugging import SECONDS, TMREC, Transcript, compiled, need, recorded, run_scenarios, scenario

PROGRAM = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
static int value = 3;
static char text[20];
static int twice(int n) {
  value = 2 * n;
  strcpy(text, "hello");
  return value;
}
static void* work(void* arg) {
  pthread_setname_np(pthread_self(), "the-worker");
  twice(5);
  return arg;
}
int main(void) {
  pthread_t t;
  twice(1);
  pthread_create(&t, 0, work, 0);
  pthread_join(t, 0);
  twice(9);
  abort();
}
"""

FORKS = r"""
#include <sys/wait.h>
#include <unistd.h>
static int after(int n) {
  n++;
  return n;
}
int main(void) {
  int status;
  if (fork() == 0) _exit(after(1));
  wait(&status);
  if (vfork() == 0) _exit(3);
  wait(&status);
  return after(4);
}
"""


@functools.cache
def program():
    return compiled(PROGRAM)


@functools.cache
def trace():
    return recorded(program(), status=134)


def lldb(executable, of, *commands, options=()):
    need("lldb-14")
    server = subprocess.Popen([TMREC, "replay", "--listen", "0", *options, of], stderr=subprocess.PIPE, text=True)
    try:
        port = re.search(r"127\.0\.0\.1:(\d+)", server.stderr.readline())[1]
        words = ["settings set plugin.process.gdb-remote.packet-timeout 60", f"gdb-remote 127.0.0.1:{port}", *commands, "detach"]
        done = subprocess.run(["lldb-14", "--no-lldbinit", "--batch", "--no-use-colors", *(w for c in words for w in ("-o", c)), executable],
                              capture_output=True, text=True, errors="replace", timeout=SECONDS, stdin=subprocess.DEVNULL)
        if server.wait(SECONDS) != 0:
            sys.exit("tmrec replay --listen failed: " + server.stderr.read())
    finally:
        server.kill()
        server.wait()
    return Transcript(done.stdout + done.stderr).never("desync|^error:|lost connection")


@scenario
def a_breakpoint_with_its_stack_and_variables():
    lldb(program(), trace(), "breakpoint set -n twice", "continue", "bt", "frame variable", "up", "continue", "frame variable").expect(
        "stop reason = breakpoint 1.1", r"frame #0: .*twice\(n=1\)", "frame #1: .*main at", "frame #2: .*libc", r"\(int\) n = 1", "main at",
        "stop reason = breakpoint", r"\(int\) n = 5")


@scenario
def steps():
    lldb(program(), trace(), "breakpoint set -n main", "continue", "step", "next", "next", "next", "finish", "next", "stepi",
         "thread until 20").expect(
             "breakpoint 1.1", "stop reason = step in", "twice.n=1", "stop reason = step over", "strcpy", "stop reason = step over", "main at|return value",
             "stop reason = instruction step")


@scenario
def stepping_one_thread_while_another_stands_at_a_breakpoint():
    lldb(program(), trace(), "breakpoint set -n twice", "continue", "finish", "next", "next", "stepi", "continue", "continue", "frame variable").expect(
        "twice.n=1", "step out", r"thread #2.*breakpoint 1.1", r"twice.n=5", "instruction step", "step over", r"\(int\) n = 9")


@scenario
def threads():
    lldb(program(), trace(), "breakpoint set -n twice", "continue", "continue", "thread list", "thread backtrace all", "thread select 1", "bt").expect(
        "thread #2, name = 'the-worker', stop reason = breakpoint 1.1", "thread #1: tid", "thread #2: tid = .*the-worker", "twice.n=5", "work",
        "pthread_.*join", "main at")


@scenario
def memory_and_registers():
    lldb(program(), trace(), "breakpoint set -n twice", "continue", "finish", "memory read -s1 -fx -c 6 &text", "register read rip rax xmm0 eflags", "memory region &text",
         "memory region $sp", "register read --all").expect("0x68 0x65 0x6c 0x6c 0x6f 0x00", "rip = 0x", "rax = 0x0000000000000002", "xmm0 = ", r"rw-", r"rw-", "general:", "st0 = ", "xmm15 = ")


@scenario
def a_watchpoint():
    lldb(program(), trace(), "breakpoint set -n main", "continue", "watchpoint set variable value", "continue", "continue", "continue", "frame variable").expect(
        "old value: 3", "new value: 2", "old value: 2", "new value: 10", "old value: 10", "new value: 18", r"\(int\) n = 9")


@scenario
def expressions_and_conditions():
    lldb(program(), trace(), "breakpoint set -n twice -c 'n == 9'", "continue", "expression value + 1", "expression twice(21)", "expression value", "frame variable",
         "next", "next", "expression value").expect("breakpoint 1.1", r"= 11", r"= 42", r"= 10", r"\(int\) n = 9", r"= 18")


@scenario
def the_crash():
    lldb(program(), trace(), "bt", "frame select 3", "expression value", "thread list", options=["--at-end"]).expect(
        "stop reason = signal SIGABRT", "frame #2: .*abort", "frame #3: .*main", r"\(int\) \$0 = 18", "SIGABRT")


@scenario
def forks():
    executable = compiled(FORKS)
    lldb(executable, recorded(executable, status=5), "breakpoint set -n after", "continue", "frame variable", "continue").expect(
        "stop reason = breakpoint 1.1", r"\(int\) n = 4")


run_scenarios()
