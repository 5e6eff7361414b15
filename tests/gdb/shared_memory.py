"""Going back and forth leaves memory that processes share, and mapped files, as they were: what follows is replayed and
compared as ever."""

from debugging import compiled, gdb, recorded, run_scenarios, scenario

PROGRAM = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
struct shared { volatile int turn, sum; };
static void passed(int round) {}
int main(void) {
  struct shared* anonymous = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int fd = memfd_create("file", 0);
  if (ftruncate(fd, 8192)) abort();
  struct shared* file = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
  char* view = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (fork() == 0) {
    for (int i = 0; i < 20; i++) { while (anonymous->turn != 1) usleep(10); file->sum += i; anonymous->turn = 0; }
    exit(0);
  }
  for (int i = 0; i < 20; i++) {
    passed(i);
    anonymous->sum += i;
    if (pwrite(fd, "x", 1, i) != 1) abort();
    anonymous->turn = 1;
    while (anonymous->turn != 0) usleep(10);
  }
  wait(0);
  printf("%d %d %c\n", anonymous->sum, file->sum, view[19]);
  return anonymous->sum == file->sum && view[19] == 'x' ? 3 : 4;
}
"""

trace = recorded(compiled(PROGRAM), status=3, options=["--check=20"])


@scenario
def shared_memory_there_and_back():
    gdb(trace, "break passed if round == 15", "continue", "up", "print *anonymous", "print *file", "reverse-continue",
        "continue", "up", "print *anonymous", "print *file", "watch -l file->sum", "reverse-continue", "reverse-continue",
        "continue", "delete", "break passed if round == 19", "continue", "up", "print file->sum", "delete", "continue",
        "monitor when").expect(
            r"passed \(round=15\)", r"\$1 = \{turn = 0, sum = 105\}", r"\$2 = \{turn = 0, sum = 105\}",
            r"No more reverse-execution history", r"passed \(round=15\)", r"\$3 = \{turn = 0, sum = 105\}",
            r"\$4 = \{turn = 0, sum = 105\}", r"Hardware watchpoint", r"passed \(round=19\)", r"\$5 = 171",
            r"No more reverse-execution history", r"position ")


run_scenarios()
