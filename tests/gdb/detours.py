"""Conditions that the program works out by itself: whatever instruction the breakpoint is at, the run is the recorded one, and stops are
where they are when the debugger works the condition out; the program's memory comes first."""

import re
import subprocess
import sys

from debugging import Client, compiled, recorded

PROGRAM = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
extern long work(long i, char* to, const char* from);
long counter;
__asm__(
  ".globl work\n.type work,@function\n"
  "work: push %rbx\n push %rbp\n push %rsi\n pop %rsi\n mov %rdi,%rbx\n xor %eax,%eax\n cmp $3,%rdi\n jl 2f\n"
  "mov counter(%rip),%rax\n lea 1(%rax),%rax\n mov %rax,counter(%rip)\n call leaf\n addl $5,counter(%rip)\n"
  "2: mov $4,%ecx\n 3: add %rbx,%rax\n dec %ecx\n jnz 3b\n pushf\n pop %rdx\n bt $2,%rdx\n adc $0,%rax\n"
  "xchg %rsi,%rdi\n xchg %rdx,%rsi\n push $9\n pop %rcx\n mov %rdi,%r8\n mov %rdx,%rdi\n lea counter(%rip),%rsi\n mov $8,%ecx\n"
  "lea -64(%rsp),%rdi\n rep movsb\n mov %r8,%rdi\n mov %rbx,%rdi\n jmp 5f\n nop\n 5: pop %rbp\n pop %rbx\n ret\n"
  ".size work, .-work\n"
  "leaf: lea 2(%rax),%rax\n ret\n");
int main(void) {
  char to[64], from[64] = "";
  long total = 0;
  for (long i = 0; i < 600; i++) {
    total += work(i, to, from);
    if (i % 50 == 7) syscall(SYS_getppid, total);
    if (i == 400) {  // where nothing else is
      char* taken = mmap((char*)((long)work & -4096) - 0x38000000, 0x10000000, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
      if (taken == MAP_FAILED) return 1;
      for (long at = 0; at < 0x10000000; at += 0x40000) total += taken[at];
    }
  }
  printf("%ld\n", total);
}
"""
ROUNDS = 600

program = compiled(PROGRAM, "-O1")
trace = recorded(program)
listing = subprocess.run(["objdump", "-d", "--disassemble=work", "--no-show-raw-insn", program], capture_output=True, text=True,
                         check=True).stdout
places = [0x555555554000 + int(at, 16) for at in re.findall(r"^ +([0-9a-f]+):", listing, re.MULTILINE)]
if len(places) < 30:
    sys.exit(f"cannot disassemble:\n{listing}")

client = Client(trace)
numbers = {name: number for number, (name, _) in enumerate(client.registers)}
rdi, flags = numbers["rdi"], numbers["eflags"]
begin = client.where()


def equals(register, value):
    return f"26{register:04x}23{value:04x}1327"


def not_for_the_program(condition):
    """The same, with a look at a register that it does not work with."""
    return f"26{flags:04x}29{condition}"


def insert(place, condition):
    client.ask(f"Z0,{place:x},1;X{len(condition) // 2:x},{condition}")


def waits():
    with open(f"/proc/{client.server.pid}/status") as f:
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), re.MULTILINE)[1])


def same(what, actual, expected):
    if actual != expected:
        sys.exit(f"{what}: {actual}, expected {expected}")


client.ask("vCont;c")
end = (client.where(), client.state())


def to_the_end(what):
    client.monitor(f"seek {begin}")
    before = waits()
    stop = client.ask("vCont;c")
    if "replaylog" not in stop:
        sys.exit(f"{what}: {stop} at {client.where()}")
    same(what, (client.where(), client.state()), end)
    return waits() - before


# False at each instruction by itself, and at all at once.
often = []  # where that stopped the program at each round
for place in places:
    insert(place, equals(rdi, 9999))
    if to_the_end(f"a false condition at {place:#x}") > ROUNDS // 2:
        often.append(f"{place:#x}")
    client.ask(f"z0,{place:x},1")
if len(often) > 6:  # those in front of and in the loop
    sys.exit(f"conditions that are false {ROUNDS} times have stopped the program as often at {often} in\n{listing}")
for place in places:
    insert(place, equals(rdi, 9999))
to_the_end("false conditions at all instructions")
for place in places:
    client.ask(f"z0,{place:x},1")


# True now and then: as when the debugger works it out, forwards and backwards.
def stops_of(place, change):
    insert(place, change(f"26{rdi:04x}22640822321327"))  # in rounds 50, 150, ...
    seen = []
    client.monitor(f"seek {begin}")
    for _ in range(2):
        stop = client.ask("vCont;c")
        seen.append((stop.split(";")[0], client.where(), client.state()))
    client.monitor("seek end")
    stop = client.ask("bc")
    seen.append((stop.split(";")[0], client.where(), client.state()))
    client.ask(f"vCont;s:{client.stopped_thread()}")
    seen.append((client.where(), client.state()))
    client.ask("bs")
    seen.append((client.where(), client.state()))
    client.ask(f"z0,{place:x},1")
    return seen


for place in places[::3]:
    same(f"stops at {place:#x}", stops_of(place, lambda each: each), stops_of(place, not_for_the_program))

# What can't be worked out stops: from round 200 on, *(long*)0.
insert(places[0], f"26{rdi:04x}22c81420000d22001a27220027")
client.monitor(f"seek {begin}")
client.ask("vCont;c")
same("a condition that looks where nothing is stops in round", client.register("rdi"), 200)
client.ask(f"z0,{places[0]:x},1")
client.close()
