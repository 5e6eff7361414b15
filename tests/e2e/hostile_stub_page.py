"""A program that uses the memory where the replayer keeps its own code: it runs as ever, and its trace never gets at that code."""

import os
import subprocess

from recording import TMREC, Recording, file, need, scratch

SOURCE = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#define PAGE ((char*)0x5f0000000000)
int main(int argc, char** argv) {
  char* at = MAP_FAILED;
  switch (atoi(argv[1])) {
    case 0: at = mmap(PAGE, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0); memset(at, 0xcc, 8192); break;
    case 1: munmap(PAGE, 4096); at = PAGE; break;
    case 2: mprotect(PAGE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC); at = PAGE; break;
    case 3: at = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            at = mremap(at, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, PAGE); strcpy(at, "moved"); break;
    case 4: madvise(PAGE, 4096, MADV_DONTNEED); at = PAGE; break;
    case 5: munmap(PAGE - 4096, 3 * 4096); at = PAGE; break;
  }
  printf("%p\n", at);
  free(malloc(1 << 20));
  printf("done\n");
  return 0;
}
"""

compiler = need("cc")
program = os.path.join(scratch, "guest")
subprocess.run([compiler, "-O1", "-static", "-o", program, file("guest.c", SOURCE)], check=True)
for case in range(6):
    recording = Recording([program, str(case)]).finish()
    recording.check(recording.out == b"0x5f0000000000\ndone\n", "the program went wrong")
    done = subprocess.run([TMREC, "replay", "-a", recording.trace], capture_output=True, timeout=60)
    words = [line for line in done.stderr.splitlines() if line.startswith(b"tmrec: ")]
    if done.returncode == 0:
        recording.check(done.stdout == recording.out, "the replay printed something else")
    else:
        recording.check(done.returncode in (2, 3) and words and b"internal" not in words[0],
                        f"case {case}: the replay ended with {done.returncode}: {done.stderr!r}")
