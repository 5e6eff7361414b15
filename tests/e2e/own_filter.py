"""A program that sets up a seccomp filter is recorded to its end; where the filter kills what it does not know, the
recording ends in front of it, and the program goes on as if there had been none."""

import os
import shutil
import subprocess
import sys

from recording import TMREC, need, scratch

need("gcc")
SOURCE = r"""
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#define ALLOW(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
int main(int argc, char** argv) {
  unsigned others = strtoul(argv[1], 0, 0);
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), ALLOW(SYS_write), ALLOW(SYS_getppid),
      ALLOW(SYS_exit_group), ALLOW(SYS_prctl), BPF_STMT(BPF_RET | BPF_K, others)};
  struct sock_fprog filter = {sizeof program / sizeof *program, program};
  puts("begins"), fflush(stdout);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return 1;
  volatile long sum = 0;
  for (long i = 0; i < 2000000; i++) sum += i;
  for (int i = 0; i < 200; i++) sum += getppid() != 0;
  printf("%ld\n", sum), fflush(stdout);
  _exit(7);
}
"""
program = os.path.join(scratch, "filters")
with open(program + ".c", "w", encoding="utf-8") as f:
    f.write(SOURCE)
subprocess.run(["gcc", "-O1", program + ".c", "-o", program], check=True)
KILL, TRAP, ERRNO = 0x80000000, 0x00030000, 0x00050000 | 38
for number, (others, whole) in enumerate(((ERRNO, True), (KILL, False), (TRAP, False))):
    native = subprocess.run([program, hex(others)], capture_output=True, text=True)
    trace = os.path.join(scratch, f"trace-{number}")
    recorded = subprocess.run([TMREC, "record", "-o", trace, program, hex(others)], capture_output=True, text=True, timeout=100)
    if recorded.returncode != native.returncode or recorded.stdout != native.stdout or native.returncode != 7:
        sys.exit(f"{others:#x}: {native.returncode} {native.stdout!r}, recorded {recorded.returncode} {recorded.stdout!r} {recorded.stderr}")
    if ("seccomp filter" not in recorded.stderr) != whole:
        sys.exit(f"{others:#x}: said {recorded.stderr!r}")
    replayed = subprocess.run([TMREC, "replay", "-a", trace], capture_output=True, text=True, timeout=100)
    if replayed.stdout != (native.stdout if whole else "begins\n") or "desync" in replayed.stderr:
        sys.exit(f"{others:#x}: replayed {replayed.stdout!r} {replayed.stderr}")
shutil.rmtree(os.path.join(scratch, "trace-0"))
print("as without tmrec")
