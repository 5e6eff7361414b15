"""`last` goes back from write to write of a value: by instructions, by system calls, of the same value again, in signal handlers and by other
threads, to the start of history."""

from debugging import compiled, gdb, recorded, refused, run_scenarios, scenario

PROGRAM = r"""
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
struct wide { char text[64]; int number; };
static struct wide record;
static volatile int value, other;
static int untouched = 5;
static void assign(int n) { value = n; }
static void on_signal(int s) { value = s; }
static void* work(void* arg) { value = 77; return arg; }
int main(void) {
  int ends[2];
  pthread_t t;
  assign(1);
  assign(2);
  assign(2);
  if (pipe(ends) || write(ends[1], "\3\0\0\0", 4) != 4 || read(ends[0], (void*)&value, 4) != 4) abort();
  signal(SIGUSR1, on_signal);
  raise(SIGUSR1);
  pthread_create(&t, 0, work, 0);
  pthread_join(t, 0);
  strcpy(record.text, "forty characters of text, and some more.");
  record.number = 12;
  memset(record.text, 'x', 10);
  other = value + untouched + record.number;
  abort();
}
"""

trace = recorded(compiled(PROGRAM), status=134)


@scenario
def by_instructions_calls_handlers_and_threads():
    gdb(trace, "last value", "bt 1", "last", "last value", "bt 1", "last", "up", "last", "up", "last", "up", options=["--at-end"]).expect(
        r"#0  work ", r"value is written here: 10 before, 77 after", "#0  work ", r"on_signal \(s=10\)", r"written here: 3 before, 10 after",
        r"read \(fd", r"written here: 2 before, 3 after", r"#0 .*read \(fd",
        r"assign \(n=2\)", r"written here: 2$", r"^19\s", r"assign \(n=2\)", r"written here: 1 before, 2 after", r"^18\s", r"assign \(n=1\)",
        r"written here: 0 before, 1 after", r"^17\s")


@scenario
def what_nothing_has_written_to():
    refused(trace, "last untouched", "nothing has written to these 4 bytes", at_end=True)


@scenario
def writes_to_a_part_of_a_structure():
    gdb(trace, "last record", "bt 2", "last", "bt 2", "last", "bt 2", "seek end", "last record.number", options=["--at-end"]).expect(
        "written here", "main", "written here", "main", "written here", "main|strcpy", "written here: 0 before, 12 after")


run_scenarios()
