"""Several processes and several programs of one: -p chooses one to begin with; forks, vforks and execs are caught, forwards and backwards;
gdb follows into a child and back; history goes over an exec."""

import functools
import os
import re
import subprocess
import sys

from debugging import TMREC, Client, compiled, gdb, recorded, refused, run_scenarios, scenario

DIVIDES = r"""
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

# Forks a child, which executes the same program as "second"; that executes it from a thread as "third". Then vforks one that executes "fourth".
PROGRAM = r"""
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile int stage;
static void reached(int n) { stage = n; }
static char* program;
static void* leave(void* arg) { reached(21); execl(program, program, "third", NULL); return arg; }
int main(int argc, char** argv) {
  program = argv[0];
  if (argc > 1 && !strcmp(argv[1], "second")) {
    pthread_t t;
    reached(20);
    pthread_create(&t, 0, leave, 0);
    pthread_join(t, 0);
  }
  if (argc > 1 && !strcmp(argv[1], "third")) { reached(30); return 3; }
  if (argc > 1) { reached(40); return 4; }
  reached(1);
  int status;
  if (fork() == 0) {
    reached(10);
    execl(program, program, "second", NULL);
  }
  wait(&status);
  reached(2);
  if (vfork() == 0) {
    execl(program, program, "fourth", NULL);
    _exit(1);
  }
  wait(&status);
  reached(3);
  return WEXITSTATUS(status);
}
"""


@functools.cache
def divides():
    return recorded(compiled(DIVIDES), status=9)


@functools.cache
def family():
    """By way of a shell, which is the first program of the first process."""
    return recorded("/bin/sh", "-c", f"exec {compiled(PROGRAM)}", status=4)


@functools.cache
def processes(trace):
    dump = subprocess.run([TMREC, "dump", trace], capture_output=True, text=True).stdout
    return [int(pid) for pid in re.findall(r"new task (\d+)|clone\(.*\) = (\d+)|fork\(\) = (\d+)", dump) for pid in pid if pid]


@functools.cache
def pids():
    """Of the parent, of the child it forks, of the one it vforks."""
    client = Client(family())
    listed = [int(line.split()[0].strip("*") or line.split()[1]) for line in client.monitor("processes").splitlines()]
    client.close()
    return listed


IN_PROGRAM = ("catch exec", "continue", "delete", "break reached")  # behind the shell
LIBRARIES = "set auto-solib-add on"


@scenario
def the_first_process_is_shown():
    gdb(divides(), "break divide", "continue", "print b", "continue").expect("hit Breakpoint 1|Breakpoint 1, ", r"\$1 = 7")


@scenario
def a_child_that_crashes():
    child = processes(divides())[0]
    gdb(divides(), "bt", "up", "print shared", "info inferiors", options=["--at-end", "-p", str(child)]).expect(
        "#0 .*divide", "#1 .*main", r"\$1 = 8", f"process {child}")


@scenario
def a_childs_history_begins_with_its_birth():
    gdb(divides(), "break divide", "continue", "print b", "reverse-continue", "continue",
        options=["-p", str(processes(divides())[0])]).expect(
            "Breakpoint 1, ", r"\$1 = 0", "No more reverse-execution history", "Breakpoint 1, ")


@scenario
def a_crash_in_a_child_is_found_from_the_parent():
    """The parent sees a status; its child is gone to, shows the crash, and why."""
    child = processes(divides())[0]
    gdb(divides(), f"process {child}", "seek end", "bt 1", "print b", "up", "watch shared", "reverse-continue",
        "inferior 1", "bt -1", options=["--at-end"]).expect("#0 .*divide", r"\$1 = 0", "#1 .*main", "Old value = 8", "inferior 1", "main")


@scenario
def catch_exec():
    gdb(family(), "catch exec", "continue", "break main", "continue", "print argc", "info inferiors").expect(
        "Catchpoint 1 .exec'd", "Breakpoint 2, main", r"\$1 = 1", "program-")


@scenario
def catch_fork():
    text = gdb(family(), *IN_PROGRAM, "catch fork", "continue", "continue", "bt -1", "continue", "print n")
    text.expect("Breakpoint 2, reached", r"Catchpoint 3 \(forked process " + str(pids()[1]), "main", f"Detaching after fork from child process {pids()[1]}",
                "Breakpoint 2, reached", r"\$1 = 2")


@scenario
def catch_vfork():
    text = gdb(family(), *IN_PROGRAM, "catch vfork", "continue", "continue", "continue", "bt -1", "continue", "print n")
    text.expect(r"Breakpoint 2, reached \(n=1\)", r"Breakpoint 2, reached \(n=2\)", r"Catchpoint 3 \(vforked process " + str(pids()[2]), "main",
                "Detaching after vfork", r"reached \(n=3\)", r"\$1 = 3")


@scenario
def forks_are_caught_backwards():
    text = gdb(family(), "set $vforks = 0", "catch fork", "catch vfork", "continue", "when", "continue", "when", "continue",
               "reverse-continue", "when", "reverse-continue", "when", "delete", "reverse-continue")
    text.expect("forked process", "vforked process", "No more reverse-execution history", "Catchpoint 2 .vforked", "Catchpoint 1 .forked",
                "No more reverse-execution history")
    places = re.findall(r"^position (\S+):", text, re.MULTILINE)
    if places != places[:2] + places[1::-1]:
        sys.exit(f"forwards and backwards at other places: {places}\n{text}")


@scenario
def following_into_a_child():
    text = gdb(family(), *IN_PROGRAM, "continue", "set follow-fork-mode child", "continue", "print n", "print $_inferior", "reverse-continue",
               "bt -1", "continue", "print n", "continue", "print n", "info inferiors")
    text.expect(r"reached \(n=1\)", f"New inferior 2 .process {pids()[1]}", "Detaching after fork from parent", r"reached \(n=10\)", r"\$1 = 10", r"\$2 = 2",
                "No more reverse-execution history", "main", r"\$3 = 10", "is executing new program", r"reached \(n=20\)", r"\$4 = 20",
                f"process {pids()[1]}")


@scenario
def following_into_a_vforked_child():
    gdb(family(), *IN_PROGRAM, "continue", "continue", "set follow-fork-mode child", "continue", "print n", "info inferiors").expect(
        r"reached \(n=2\)", f"New inferior 2 .process {pids()[2]}", "is executing new program", r"reached \(n=40\)", r"\$1 = 40", f"process {pids()[2]}")


@scenario
def both_sides_of_a_fork_are_kept():
    text = gdb(family(), *IN_PROGRAM, "continue", "set detach-on-fork off", "catch fork", "continue", "next", "info inferiors", "inferior 2", "delete 3",
               "continue", "print n", "inferior 1", "info threads", "inferior 2", "bt -1", "print stage", "continue", "print n", "inferior 1",
               "continue", "print n", "print stage")
    text.expect("forked process", f"process {pids()[0]}", f"process {pids()[1]}", r"reached \(n=10\)", r"\$1 = 10", f"Thread {pids()[0]}", f"Thread {pids()[1]}",
                "main", r"\$2 = 1", r"reached \(n=20\)", r"\$3 = 20", r"reached \(n=2\)", r"\$4 = 2", r"\$5 = 1")


@scenario
def history_goes_over_an_exec():
    text = gdb(family(), "break reached", "seek end", "reverse-continue", "print n", "reverse-continue", "reverse-continue", "print n", "reverse-continue", "print n",
               "reverse-continue", "when", "continue", "reverse-continue", "when", "reverse-stepi",
               options=["-p", str(pids()[1])])
    # third, second from a thread, second from main, before.
    text.expect(r"reached \(n=30\)", r"\$1 = 30", "is executing new program", r"reached \(n=21\)", r"reached \(n=20\)", r"\$2 = 20",
                "is executing new program", r"reached \(n=10\)", r"\$3 = 10", "No more reverse-execution history", "^position", r"reached \(n=10\)",
                "No more reverse-execution history", "^position")


@scenario
def an_exec_is_crossed_instruction_by_instruction():
    """The hash of the state is the same there and back."""
    client = Client(family())
    stop = client.ask("vCont;c")
    while "exec:" not in stop:
        stop = client.ask("vCont;c")
    after = client.state()
    program = client.object("exec-file")
    place = client.where()
    stop = client.ask("bs")
    if "exec:" not in stop or client.object("exec-file") == program or "dash" not in client.object("exec-file"):
        sys.exit(f"one instruction before an exec: {stop}, {client.object('exec-file')}")
    in_call = client.state(), client.where()
    client.ask("bs")
    before = client.state(), client.where()
    if "exec:" not in client.ask("vCont;s"):
        sys.exit("a step over an exec tells nothing")
    client.monitor(f"seek {before[1]}")
    if (client.state(), client.where()) != before or "exec:" not in client.ask("vCont;c") or client.where() != before[1]:
        sys.exit("the place before an exec is another, or not told to be in another program")
    client.monitor(f"seek {in_call[1]}")
    if (client.state(), client.where()) != in_call:
        sys.exit("the place in an exec is another")
    stop = client.ask("vCont;c")
    if "exec:" not in stop or (client.state(), client.where()) != (after, place) or client.object("exec-file") != program:
        sys.exit(f"forwards over an exec again: {stop}")
    client.close()


@scenario
def breakpoints_of_a_program_do_not_stop_another():
    """The two programs are mapped at the same addresses."""
    client = Client(family(), "-p", str(pids()[1]))
    names = subprocess.run(["nm", client.object("exec-file")], capture_output=True, text=True).stdout
    at = 0x555555554000 + int(re.search(r"^(\w+) . reached$", names, re.MULTILINE)[1], 16)
    client.ask(f"Z0,{at:x},1")
    stops = [client.ask("vCont;c"), client.ask("vCont;s:" + client.stopped_thread())] + [client.ask("vCont;c") for _ in range(2)]
    if ["swbreak" in s for s in stops] != [True, False, False, False] or ["exec:" in s for s in stops] != [False, False, True, True]:
        sys.exit(f"stops: {stops}")
    client.close()


@scenario
def to_another_process_and_back():
    parent, child, vforked = pids()
    text = gdb(family(), *IN_PROGRAM, "continue", "info processes", f"process {child}", "info inferiors", "continue", "print n", "info processes", f"process {vforked}",
               "continue", "print n", "info processes", f"process {child}", "bt 1", "inferior 1", "info threads", "reverse-continue", "print n",
               f"process {parent}", "continue", "print n")
    text.expect(rf"^\* +{parent}", rf"^  +{child} .*later", f"process {child}", r"\$1 = 10", rf"^\* +{child}", r"reached \(n=40\)", r"\$2 = 40", rf"^  +{child} .*over",
                rf"^\* +{vforked}", r"\$3 = 1", r"\$4 = 2")


@scenario
def processes_that_are_none():
    for words in ("process", "process x", "process 1", "process 99999999999"):
        refused(family(), words, "processes' lists them")
    gdb(family(), "help process", "help info processes").expect("Usage: process PID", "Usage: info processes")


@scenario
def a_bookmark_in_another_process():
    gdb(family(), "break reached", "continue", "bookmark in the child", options=["-p", str(pids()[1])]).expect("reached .n=10", "Bookmark")
    gdb(family(), "goto-bookmark in the child", "bt 1", "print n", "info inferiors").expect("#0 .*reached", r"\$1 = 10", f"process {pids()[1]}")


@scenario
def places_in_another_program_are_gone_to():
    """seek, restart and bookmarks tell gdb which program is executed there."""
    text = gdb(family(), "checkpoint in the shell", *IN_PROGRAM, "continue", "checkpoint in the program", "restart 1", "info inferiors", "restart 2", "print n",
               "bt 1", "seek begin", "seek end", "bt -1", "seek program", "info inferiors")
    text.expect("dash", r"\$1 = 1", "#0 .*reached", "_start", "_exit", "_start", "_start", "program-")


@scenario
def extended_remote_attaches_to_another():
    client = Client(family(), "--keep-listening")
    port = client.socket.getpeername()[1]
    client.ask("D")
    client.socket.close()
    commands = ["set debuginfod enabled off", "set remotetimeout 120", f"target extended-remote 127.0.0.1:{port}", "add-inferior", "inferior 2", f"attach {pids()[1]}",
                "info inferiors", "break reached", "continue", "print n", "detach", "inferior 1", "bt 1", "info inferiors", "kill"]
    done = subprocess.run(["gdb", "-nx", "-batch", *(word for c in commands for word in ("-ex", c))], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    client.server.terminate()
    client.server.wait(60)
    for pattern in (rf"\* 2 +process {pids()[1]}", r"reached \(n=10\)", r"\$1 = 10", "Inferior 2 .* detached"):
        if not re.search(pattern, done.stdout):
            sys.exit(f"{pattern} is not in\n{done.stdout}{done.stderr}")


@scenario
def there_and_back_over_forks():
    """Registers and stacks of all threads at every stop of the parent's, forwards, backwards and forwards again."""
    client = Client(family())
    while "exec:" not in client.ask("vCont;c"):
        pass
    names = subprocess.run(["nm", client.object("exec-file")], capture_output=True, text=True).stdout
    at = 0x555555554000 + int(re.search(r"^(\w+) . reached$", names, re.MULTILINE)[1], 16)
    client.ask(f"Z0,{at:x},1")

    def run(direction):
        seen = []
        while "replaylog" not in (stop := client.ask(direction)) and "exec:" not in stop:
            if "swbreak" in stop:
                seen.append((client.where(), client.state()))
                if direction == "vCont;c":
                    client.ask(f"z0,{at:x},1")
                    client.ask("vCont;s:" + client.stopped_thread())
                    client.ask(f"Z0,{at:x},1")
        return seen

    first = run("vCont;c")
    back = run("bc")
    if len(first) != 3 or back != first[::-1]:
        sys.exit(f"forwards {first}, backwards {back}")
    client.close()


run_scenarios()
