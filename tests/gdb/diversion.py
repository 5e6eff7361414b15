"""Changes go to a diversion: functions are called, in running and in patched code, with strings made for them; what somebody sets is
explored and left again; and the recording is what it was, by every register and all memory one looks at."""

import sys

from debugging import Client, compiled, gdb, recorded, refused, run_scenarios, scenario

PROGRAM = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
static volatile int value = 3, calls;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static int twice(int n) { calls++; return 2 * n; }
static long length(const char* text) { return strlen(text); }
static double half(double x) { return x / 2; }
static long sum(long n) { long s = 0; for (long i = 0; i <= n; i++) s += i; return s; }
static void say(const char* text) { puts(text); fflush(stdout); }
static int crash(int n) { return *(volatile int*)(long)n; }
static int now(void) { return time(0) > 1600000000; }
static long room(void) { char* p = mmap(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); p[5] = 7; return p[5] + munmap(p, 4096); }
static char* big(void) { return memset(malloc(1 << 20), 'b', 1 << 20); }
static int opens(void) { return open("/etc/passwd", 0); }
static int locks(void) { return pthread_mutex_lock(&held); }
static void branch(void) { if (value > 3) say("the other way"); else say("this way"); }
int main(void) {
  pthread_mutex_lock(&held);
  twice(1);
  for (int i = 0; i < 300; i++) twice(i);
  branch();
  usleep(1000);
  abort();
}
"""
PROGRAM = "#include <fcntl.h>\n" + PROGRAM

trace = recorded(compiled(PROGRAM), status=134)


@scenario
def functions_are_called():
    text = gdb(trace, "break branch", "continue", "print twice(21)", "print calls", "print length(\"forty-two\")", "print half(5.0)", "print sum(100000)",
               "print now()", "print room()", "print (int)opens()", "print twice(length(\"abc\"))", "call say(\"hello from there\")", "print calls",
               "print big()[1000]", "when", "next", "when", "bt 1")
    text.expect("Breakpoint 1, branch", r"\$1 = 42", r"\$2 = 301", r"\$3 = 9", r"\$4 = 2.5",
                r"\$5 = 5000050000", r"\$6 = 1", r"\$7 = 7", r"\$8 = -1", r"\$9 = 6", r"\$10 = 301", r"\$11 = 98 'b'", "^position", "^position", "#0  main",
                "a diversion: a copy of the program, thrown away", "openat is not performed in a diversion", "hello from there")


@scenario
def changes_are_explored_and_left():
    gdb(trace, "break branch", "continue", "set var value = 5", "print value", "print twice(value)", "next", "next", "bt 1", "when", "reverse-next",
        "print value", "when", "next", "print value", "set var value = 9", "end-diversion", "print value", "set $rax = 77", "print $rax", "when",
        "seek begin", "when", "continue", "print value").expect(
            "Breakpoint 1, branch", "this is a diversion from the recording at", r"\$1 = 5", r"\$2 = 10", "in a diversion from here", r"\$3 = 3", "^position", r"\$4 = 3", "this is a diversion", r"\$5 = 3", "this is a diversion",
            r"\$6 = 77", "in a diversion", "^position 1\\.", "Breakpoint 1, branch", r"\$7 = 3",
            "the other way", "the diversion has ended; this is the recording")


@scenario
def a_call_that_crashes():
    CRASH = "python\ntry:\n  gdb.execute('print crash(16)')\nexcept gdb.error as e:\n  print('no call:', e)\nend"
    gdb(trace, "break branch", "continue", CRASH, "bt 3", "end-diversion", "bt 1", "print twice(4)", "print calls", "set unwindonsignal on", CRASH,
        "bt 1", "print twice(5)", "next", "bt 1").expect(
            "Breakpoint 1, branch", "SIGSEGV", "no call:", "#0 .* crash", "#1  <function called from gdb>", "#0 .*branch", "#0 .*branch",
            r"\$1 = 8", r"\$2 = 301", "SIGSEGV", "no call:", "#0 .*branch", r"\$2 = 10|\$3 = 10", "#0  main")


@scenario
def calls_that_stop_wait_or_exit():
    # A breakpoint in a called function, a function that would wait for ever, and one that ends the program.
    gdb(trace, "break branch", "continue", "break twice", "python\ntry:\n  gdb.execute('print twice(5)')\nexcept gdb.error as e:\n  print('no call:', e)\nend",
        "bt 2", "print n", "finish", "python\ntry:\n  gdb.execute('print locks()')\nexcept gdb.error as e:\n  print('no call:', e)\nend", "end-diversion",
        "python\ntry:\n  gdb.execute('call (void)exit(3)')\nexcept gdb.error as e:\n  print('no call:', e)\nend", "end-diversion", "bt 1", "next",
        "bt 1").expect("Breakpoint 2, twice", "no call:", "#0  twice .n=5", "#1  <function called from gdb>", r"\$1 = 5",
                       "branch", "no call:", "branch", "no call:", "#0 .*branch", "#0  main", "would wait here for another thread", "would exit here")


@scenario
def memory_that_is_not_there():
    refused(trace, "set var *(int*)16 = 1", "Cannot access memory at address 0x10")


@scenario
def the_protocol_alone():
    # The protocol alone: a call as gdb makes it, and a change that is none.
    client = Client(trace)
    symbols = dict(line.split()[2::-2] for line in __import__("subprocess").run(
        ["nm", client.object("exec-file")], capture_output=True, text=True).stdout.splitlines() if len(line.split()) == 3)
    base = 0x555555554000
    branch, twice, value = (base + int(symbols[name], 16) for name in ("branch", "twice", "value"))
    client.ask(f"Z0,{branch:x},1")
    client.ask("vCont;c")
    before, where = client.state(), client.where()
    registers = client.ask("g")
    thread = client.stopped_thread()
    client.ask("Hg" + thread)
    names = [n for n, _ in client.registers]
    stack = client.register("rsp") - 256
    for name, number in (("rdi", 6), ("rip", twice), ("rsp", stack)):
        client.ask(f"P{names.index(name):x}={number.to_bytes(8, 'little').hex()}")
    client.ask(f"M{stack:x},8:{branch.to_bytes(8, 'little').hex()}")
    stop = client.ask("vCont;c")
    while not stop.startswith("T"):
        stop = client.receive()
    if "swbreak" not in stop or client.register("rax") != 12:
        sys.exit(f"a call returned with {stop}, rax {client.register('rax')}")
    client.ask("G" + registers)
    if client.state() != before:
        sys.exit("after a call, registers are not what they were")
    client.ask("vCont;s:" + thread)
    client.ask("bs")
    if (client.state(), client.where()) != (before, where):
        sys.exit("after a call, a step and a step back, the recording is another")
    client.ask(f"M{value:x},4:09000000")
    if client.memory(value, 4) != b"\x09\0\0\0" or "in a diversion" not in client.monitor("when"):
        sys.exit("a change of memory leads to no diversion")
    client.ask("vCont;s:" + thread)
    if client.memory(value, 4) != b"\x09\0\0\0":
        sys.exit("a step in a diversion leads out of it")
    client.ask("bs")
    while client.waiting:
        client.receive()
    if (client.state(), client.where()) != (before, where) or client.memory(value, 4) != b"\3\0\0\0":
        sys.exit("the recording is another after a diversion")
    client.close()


run_scenarios()
