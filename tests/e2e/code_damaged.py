"""Programs whose files say less of their code than others, or lies: stripped, with data among the code, with damaged section headers, symbols
and unwind tables. The kernel and ld.so look at none of that; recorded, such a program must do as it does natively."""

import json
import os
import random
import struct
import subprocess

import recording

GCC, STRIP = recording.need("gcc", "strip")
SOURCE = r"""
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>
// Data among the code, much of which looks like branches; read as data and jumped over.
__asm__(".text\n.globl table\ntable: .byte 0xeb,0xfe,0x75,0xf0,0xe9,1,2,3,4,0xff,0xe0,0x0f,0x85,9,9,9,9,0x0f,0x05,0x0f,0x31,0xe2,0xfb,0xc3\n"
        ".globl hop\nhop: jmp 2f\n.quad 0x0febfe74f875fbe2,0x9090c3050f310f0f\n"
        "2: mov $1000,%ecx\nxor %eax,%eax\n3: add %ecx,%eax\nloop 3b\nret\n"
        ".globl jumps\njumps: and $3,%edi\nlea 5f(%rip),%rdx\nmovslq (%rdx,%rdi,4),%rax\nadd %rdx,%rax\njmp *%rax\n"
        "5: .long 6f-5b, 7f-5b, 8f-5b, 9f-5b\n6: mov $3,%eax\nret\n7: mov $5,%eax\nret\n8: mov $7,%eax\nret\n9: mov $11,%eax\nret\n");
extern const unsigned char table[24];
extern int hop(void), jumps(unsigned);
static volatile int alarms;
static void on_alarm(int s) { (void)s; alarms = alarms + 1; }
__attribute__((noinline)) static unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int main(int argc, char** argv) {
  (void)argv;
  struct itimerval t = {{0, 2000}, {0, 2000}};
  signal(SIGALRM, on_alarm);
  if (argc > 1) setitimer(ITIMER_REAL, &t, 0);
  unsigned long a = 1, expected = 0;
  for (long round = 0; (argc > 1 && alarms < 20) || round < 30; round++) {
    a = 1;
    for (unsigned i = 0; i < 20000; i++) a = a * 31 + table[i % 24] + jumps(a >> 7);
    a += hop() + fib(15);
    if (expected != 0 && a != expected) { puts("CHANGED"); return 1; }
    expected = a;
  }
  printf("%lx\n", expected);
  return 0;
}
"""

chance = random.Random(7)
source = recording.file("code.c", SOURCE)


def built(name, *options):
    path = os.path.join(recording.scratch, name)
    subprocess.run([GCC, "-O2", *options, source, "-o", path], check=True)
    return path


def sections(data):
    """(place of the header, name, offset, size) of each."""
    table, size, count, names = *struct.unpack_from("<Q", data, 0x28), *struct.unpack_from("<HHH", data, 0x3a)
    strings = struct.unpack_from("<Q", data, table + names * size + 0x18)[0]
    for i in range(count):
        at = table + i * size
        start = strings + struct.unpack_from("<I", data, at)[0]
        offset, length = struct.unpack_from("<QQ", data, at + 0x18)
        yield at, data[start:data.index(b"\0", start)].decode(), offset, length


def changed(original, name, change):
    with open(original, "rb") as f:
        data = bytearray(f.read())
    change(data, {n: (at, offset, length) for at, n, offset, length in sections(data)})
    return recording.file(name, bytes(data), 0o755)


def noise(data, offset, length, share):
    for at in range(offset, offset + length):
        if chance.random() < share:
            data[at] = chance.randrange(256)


def overlapping(data, known):
    """.text begins earlier and reaches over what follows; .rodata is said to be code, in the middle of it."""
    at, offset, length = known[".text"]
    address = struct.unpack_from("<Q", data, at + 0x10)[0]
    struct.pack_into("<QQQ", data, at + 0x10, address - 64, offset - 64, length + 0x3000)
    struct.pack_into("<QQQQ", data, known[".rodata"][0] + 0x08, 6, address + 33, offset + 33, length)


def backwards(data, known):
    for at, _, _ in known.values():
        struct.pack_into("<QQ", data, at + 0x18, 2**64 - chance.randrange(1, 5000), chance.randrange(2**64))


def no_headers(data, known):
    struct.pack_into("<Q", data, 0x28, len(data) - 10)
    struct.pack_into("<HHH", data, 0x3a, 64, 0xfff0, 0xffee)


# Only what says where functions are; a destroyed .eh_frame_hdr would be the same to programs that throw nothing.
def no_unwinding(share):
    def change(data, known):
        for name in (".eh_frame", ".eh_frame_hdr"):
            _, offset, length = known[name]
            noise(data, offset, length, share)
    return change


def symbols(data, known):
    _, offset, length = known[".symtab"]
    noise(data, offset, length, 0.3)


plain, static, fixed = built("plain"), built("static", "-static"), built("fixed", "-no-pie", "-fno-asynchronous-unwind-tables")
programs = [plain, static, fixed]
for original in (plain, fixed):
    stripped = original + "-stripped"
    subprocess.run([STRIP, "-s", "-R", ".comment", "-o", stripped, original], check=True)
    programs.append(stripped)
for name, change in (("overlapping", overlapping), ("backwards", backwards), ("none", no_headers), ("unwinding", no_unwinding(0.05)),
                     ("noise", no_unwinding(1)), ("symbols", symbols)):
    programs.append(changed(plain, "plain-" + name, change))
programs.append(changed(static, "static-symbols", symbols))
programs.append(changed(fixed, "fixed-overlapping", overlapping))

expected = subprocess.run([plain], stdout=subprocess.PIPE, check=True).stdout


def record(program, *arguments):
    if subprocess.run([program, *arguments], stdout=subprocess.PIPE, check=True).stdout != expected:
        raise SystemExit(f"{program} does something else natively")
    recorded = recording.record_and_replay([program, *arguments], options=("--slice=1000",))
    recorded.check(recorded.out == expected, "the recorded program did something else")
    recorded.check(not recording.own_words(recorded.err), "the recording ended early")
    return json.loads(subprocess.run([recording.TMREC, "info", "--json", recorded.trace], stdout=subprocess.PIPE, check=True).stdout)


known = 0
for program in programs:
    said = record(program)
    named = any("for want of symbols" in note["what"] and note["what"].endswith(program) for note in said["notes"])
    counted = [m["back_edges"]["all"] for m in said["ticks"]["modules"] if m["name"] == program]
    # Where nothing tells what is code, all of it is left alone, and info names the module.
    if not named and not counted:
        raise SystemExit(f"{program} is neither patched nor named")
    if named:
        continue
    known += 1
    if counted[0] < 3:
        raise SystemExit(f"{program}: {counted} back edges are known")
    ticks = record(program, "with alarms")["ticks"]
    if ticks["signals"] < 10:
        raise SystemExit(f"{program}: {ticks['signals']} signals arrived in computations")
if known < 7:
    raise SystemExit(f"the code of {known} programs is known")
