"""Catchpoints for system calls, forwards and backwards; thread-local variables of program and libraries, by thread."""

import re
import sys

from debugging import compiled, gdb, recorded, run_scenarios, scenario

PROGRAM = r"""
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static __thread int mine = 5;
__thread char later[100];
static pthread_barrier_t both;
static void* work(void* arg) {
  mine = 6;
  open("/nonexistent", O_RDONLY);
  pthread_barrier_wait(&both);
  pause();
  return arg;
}
int main(void) {
  pthread_t t;
  pthread_barrier_init(&both, 0, 2);
  pthread_create(&t, 0, work, 0);
  pthread_barrier_wait(&both);
  close(-1);
  getpid();
  getppid();
  getpid();
  abort();
}
"""

trace = recorded(compiled(PROGRAM), status=134)


@scenario
def thread_local_variables():
    gdb(trace, "print mine", "print errno", "print &later[3] - later", "thread 2", "print mine", "print errno", "thread apply all -q print mine",
        options=["--at-end"]).expect(r"\$1 = 5", r"\$2 = 9", r"\$3 = 3", r"\$4 = 6", r"\$5 = 2", r"= 6", "= 5")


@scenario
def a_system_call_is_caught_there_and_back():
    text = gdb(trace, "catch syscall getpid", "continue", "when", "continue", "print $rax > 0", "continue", "continue", "reverse-continue",
               "reverse-continue", "reverse-continue", "when", "continue", "reverse-continue", "reverse-continue")
    text.expect("Catchpoint 1 .syscall 'getpid'", r"Catchpoint 1 \(call to syscall getpid\)", "^position",
                r"Catchpoint 1 \(returned from syscall getpid\)", r"\$1 = 1", "call to syscall getpid", "returned from syscall getpid",
                "call to syscall getpid", "returned from syscall getpid", "call to syscall getpid", "^position",
                "returned from syscall getpid", "call to syscall getpid", "No more reverse-execution history")
    places = re.findall(r"^position (\S+):", text, re.MULTILINE)
    if places[0] != places[1]:
        sys.exit(f"forwards the first call was at {places[0]}, backwards at {places[1]}")


@scenario
def all_system_calls_and_two_of_them():
    gdb(trace, "break main", "continue", "catch syscall", "continue", "continue", "delete 2", "catch syscall close 110", "continue", "continue", "continue",
        "delete", "continue").expect("call to syscall", "returned from syscall", "call to syscall close", "returned from syscall close",
                                     "call to syscall getppid", "SIGABRT")


run_scenarios()
