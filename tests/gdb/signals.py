"""Signal handlers, forwards and backwards; a fault that a handler repairs; system calls that write to watched memory."""

from debugging import compiled, gdb, recorded, run_scenarios, scenario

PROGRAM = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static volatile int hits;
static char* page;
static char buffer[16];
static void got(void) {}
static void on_usr1(int s) { hits++; }
static void on_segv(int s) { mprotect(page, 4096, PROT_READ | PROT_WRITE); hits += 10; }
int main(void) {
  int pipe_[2];
  signal(SIGUSR1, on_usr1);
  signal(SIGSEGV, on_segv);
  page = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  raise(SIGUSR1);
  *page = 1;
  if (pipe(pipe_) || write(pipe_[1], "through the pipe", 15) != 15) abort();
  if (read(pipe_[0], buffer, 15) != 15) abort();
  got();
  raise(SIGUSR1);
  return hits;
}
"""

trace = recorded(compiled(PROGRAM), status=12)


@scenario
def handlers_are_entered_and_left():
    gdb(trace, "handle SIGUSR1 stop print", "break on_segv", "continue", "print hits", "continue", "print hits", "continue", "bt",
        "print hits", "finish", "next", "print hits", "reverse-continue", "print hits", "reverse-step", "info source").expect(
            "SIGUSR1", r"\$1 = 0", "SIGSEGV", r"\$2 = 1", "Breakpoint 1, on_segv", "#1  <signal handler called>", "#2 .*main",
            r"\$3 = 1", r"\$4 = 11|\$4 = 1", "Breakpoint 1, on_segv|reverse-execution", r"\$5 = 1")


@scenario
def a_system_call_writes_to_watched_memory():
    gdb(trace, "break got", "handle SIGSEGV nostop noprint", "handle SIGUSR1 nostop noprint", "continue", "print buffer", "watch buffer", "reverse-continue",
        "print buffer", "x/i $pc", "continue", "print buffer").expect(
            r"Breakpoint 1, got", r"\$1 = \"through the pipe?", "watchpoint 2", "New value = .*000", r"\$2 = .*000",
            "=> .*syscall", "New value = \"through", r"\$3 = \"through")


@scenario
def a_counter_of_handlers_is_watched_there_and_back():
    gdb(trace, "watch hits", "handle SIGSEGV nostop noprint", "handle SIGUSR1 nostop noprint", "continue", "continue", "continue", "reverse-continue",
        "reverse-continue", "reverse-continue", "reverse-continue").expect(
            "Old value = 0\nNew value = 1", "Old value = 1\nNew value = 11", "Old value = 11\nNew value = 12",
            "Old value = 12\nNew value = 11", "Old value = 11\nNew value = 1", "Old value = 1\nNew value = 0",
            "No more reverse-execution history")


run_scenarios()
