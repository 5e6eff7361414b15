"""tests/bench/run --debug: how long a debugger waits, on a recording of python3 that computes. One connection, gdb's protocol without
gdb, so symbols cost nothing. Spans are given beside the times: going back over one is compared with running over it once."""

import os
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "gdb"))

SECONDS = 60  # of computing, at scale 1
STEPS = 40
LOOP = """
import sys
total = 0
for i in range(int(sys.argv[1])):
    total = (total * 31 + i) % 1000003
print(total)
"""
HITS = r"""
#include <stdio.h>
#include <stdlib.h>
static volatile long total;
__attribute__((noinline)) void add(long i) { total += i ^ 5; }
int main(int argc, char** argv) {
  for (long i = 0, n = atol(argv[1]); i < n; i++) add(i);
  printf("%ld\n", total);
}
"""


def timed(action):
    began = time.monotonic()
    result = action()
    return time.monotonic() - began, result


def resident(pid):
    """Bytes that a process and its children hold, shared pages divided among those that share them."""
    total, waiting = 0, [pid]
    while waiting:
        each = waiting.pop()
        try:
            with open(f"/proc/{each}/smaps_rollup") as f:
                total += 1024 * int(re.search(r"^Pss: +(\d+)", f.read(), re.MULTILINE)[1])
            with open(f"/proc/{each}/task/{each}/children") as f:
                waiting += [int(child) for child in f.read().split()]
        except (OSError, TypeError):
            pass
    return total


def rounds_for(seconds, tmrec, scratch):
    """As many rounds of LOOP as take so long natively."""
    probe = 300000
    script = os.path.join(scratch, "loop.py")
    with open(script, "w") as f:
        f.write(LOOP)
    took = min(timed(lambda: subprocess.run(["/usr/bin/python3", script, str(probe)], check=True, stdout=subprocess.DEVNULL))[0]
               for _ in range(3))
    return script, max(1, int(probe * seconds / took))


def python_lines(debugging, tmrec, scratch, seconds, line):
    script, rounds = rounds_for(seconds, tmrec, scratch)
    trace = os.path.join(scratch, "python")
    recording, _ = timed(lambda: subprocess.run([tmrec, "record", "-q", "-o", trace, "--", "/usr/bin/python3", script, str(rounds)],
                                                check=True, stdout=subprocess.DEVNULL))
    line("recording", f"{recording:8.2f} s")
    replay, _ = timed(lambda: subprocess.run([tmrec, "replay", "--verify", trace], check=True))
    line("one replay", f"{replay:8.2f} s")
    took, client = timed(lambda: debugging.Client(trace))
    line("first prompt", f"{took:8.2f} s", "target 1")
    client.close()
    took, client = timed(lambda: debugging.Client(trace, "--at-end"))
    line("--at-end", f"{took:8.2f} s {took / replay:6.2f} of a replay", "target 1.2")
    line("memory", f"{resident(client.server.pid) >> 20:8d} MiB with {client.monitor('copies').strip()}")
    steps = sorted(timed(lambda: client.ask("bs"))[0] for _ in range(STEPS))
    line("reverse-stepi", f"{1000 * statistics.median(steps):8.1f} ms median, {1000 * steps[-1]:.1f} ms at most", "target 10, 200")
    middle = int(client.monitor("end").split()[0]) // 2
    took, _ = timed(lambda: client.monitor(f"seek {middle}"))
    line("seek to the middle event", f"{took:8.2f} s")
    client.monitor("seek end")
    pc = client.register("rip")
    client.ask(f"Z0,{pc:x},1")
    took, stop = timed(lambda: client.ask("bc"))
    line("reverse-continue, no hit", f"{took:8.2f} s {took / replay:6.2f} of a replay", "target 1.5 + 0.5 s")
    client.ask(f"z0,{pc:x},1")
    client.monitor("seek end")
    word = client.register("rsp") - 65536
    client.ask(f"Z2,{word & ~7:x},8")
    took, stop = timed(lambda: client.ask("bc"))
    line("the same, watching a word", f"{took:8.2f} s {took / replay:6.2f} of a replay", "target 3 + 0.5 s")
    client.close()


def hit_lines(debugging, tmrec, scratch, hits, line):
    source, program, trace = (os.path.join(scratch, name) for name in ("hits.c", "hits", "hits-trace"))
    with open(source, "w") as f:
        f.write(HITS)
    subprocess.run(["gcc", "-O1", "-o", program, source], check=True)
    subprocess.run([tmrec, "record", "-q", "-o", trace, "--", program, str(hits)], check=True, stdout=subprocess.DEVNULL)
    listing = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    at = 0x555555554000 + int(re.search(r"^(\w+) T add$", listing, re.MULTILINE)[1], 16)
    client = debugging.Client(trace)
    rdi = [name for name, _ in client.registers].index("rdi")
    never = f"26{rdi:04x}25{1 << 40:016x}1327"
    client.ask(f"Z0,{at:x},1;X{len(never) // 2:x},{never}")
    took, _ = timed(lambda: client.ask("vCont;c"))
    line(f"{hits} false conditions", f"{took:8.2f} s {1e6 * took / hits:6.1f} us each", "target 5 us")
    took, _ = timed(lambda: client.ask("bc"))
    line("the same backwards", f"{took:8.2f} s {1e6 * took / hits:6.1f} us each")
    client.ask(f"z0,{at:x},1")
    client.monitor("seek end")
    client.ask(f"Z0,{at:x},1")
    took, stop = timed(lambda: client.ask("bc"))
    line(f"back to a breakpoint hit {hits} times", f"{took:8.2f} s")
    client.close()


def run(tmrec, scratch, scale):
    os.environ["TMREC"] = tmrec
    import debugging  # tests/gdb

    def line(what, figures, target=""):
        print(f"{what:34} {figures:44} {target}".rstrip(), flush=True)

    python_lines(debugging, tmrec, scratch, max(0.2, SECONDS * scale), line)
    hit_lines(debugging, tmrec, scratch, max(1000, int(1_000_000 * scale)), line)
