"""tests/bench/run --debug: how long a debugger waits, on a recording of python3 that computes. One connection, gdb's protocol without
gdb, so symbols cost nothing; reverse-next is gdb's own work, and goes through it. Going back over a span is compared with one replay of it,
in time and, for machines that have other work, in CPU time of the replay and its copies.

--scale 1 is a minute of computing. Percentiles are of few steps: the 99th of 200 is the third worst, so one bad one shows in the worst alone.
"""

import os
import re
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "gdb"))

SECONDS = 60  # of computing, at scale 1
STEPS = 200
NEXTS = 30
HITS_TO_IGNORE = 1_000_000
HOT_WRITES = 20_000
QUIET = 1 << 20  # bytes that are written to once
LOOP = f"""
import sys
quiet = bytearray({QUIET})
total = 0
for i in range(int(sys.argv[1])):
    total = (total * 31 + i) % 1000003
print(total, len(quiet))
"""
HITS = r"""
#include <stdio.h>
#include <stdlib.h>
static volatile struct { long total; char between[128]; long quiet[32]; } data __attribute__((aligned(4096)));
__attribute__((noinline)) void add(long i) { data.total += i ^ 5; }
int main(int argc, char** argv) {
  for (long i = 0, n = atol(argv[1]); i < n; i++) add(i);
  data.quiet[7] = data.total;
  printf("%ld\n", data.total);
}
"""
# In gdb: how long each reverse-next takes, or that there are no lines here.
NEXT = f"""
python
import time
def once():
    began = time.monotonic()
    gdb.execute('reverse-next', to_string=True)
    return time.monotonic() - began
if gdb.selected_frame().find_sal().line:
    print('took', *(once() for _ in range({NEXTS})))
end
"""


def timed(action):
    began = time.monotonic()
    result = action()
    return time.monotonic() - began, result


def family(pid):
    """A process and its children, and theirs."""
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        try:
            with open(f"/proc/{each}/task/{each}/children") as f:
                waiting += [int(child) for child in f.read().split()]
        except OSError:
            continue
        yield each


def resident(pid):
    """Bytes that a process and its children hold, shared pages divided among those that share them."""
    total = 0
    for each in family(pid):
        try:
            with open(f"/proc/{each}/smaps_rollup") as f:
                total += 1024 * int(re.search(r"^Pss: +(\d+)", f.read(), re.MULTILINE)[1])
        except (OSError, TypeError):
            pass
    return total


def cpu_time(pid):
    """Of a server and of the copies that it has ended, which are its children."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    total = sum(int(field) for field in fields[11:15])
    for each in family(pid):
        if each != pid:
            try:
                with open(f"/proc/{each}/stat") as f:
                    total += sum(int(field) for field in f.read().rpartition(")")[2].split()[11:13])
            except OSError:
                pass
    return total / os.sysconf("SC_CLK_TCK")


class Span:
    """One replay of a recording, to compare with."""

    def __init__(self, tmrec, trace):
        self.tmrec, self.trace, self.walls, self.cpus = tmrec, trace, [], []

    def measure(self):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall, _ = timed(lambda: subprocess.run([self.tmrec, "replay", "--verify", self.trace], check=True))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.walls.append(wall)
        self.cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return wall

    def compared(self, wall, cpu):
        return f"{wall:8.2f} s {wall / statistics.median(self.walls):6.2f} of a replay, {cpu / statistics.median(self.cpus):.2f} of its CPU time"


def rounds_for(seconds, tmrec, scratch):
    """As many rounds of LOOP as take so long natively, and the memory that takes."""
    probe = 300000
    script = os.path.join(scratch, "loop.py")
    with open(script, "w") as f:
        f.write(LOOP)
    times = []
    for _ in range(3):
        child = subprocess.Popen(["/usr/bin/python3", script, str(probe)], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        times.append(usage.ru_utime)
    return script, max(1, int(probe * seconds / min(times))), 1024 * usage.ru_maxrss


def steps_line(client, name, line):
    times = sorted(timed(lambda: client.ask("bs"))[0] for _ in range(STEPS))
    line(name, f"{1000 * statistics.median(times):8.1f} ms median, {1000 * times[STEPS * 99 // 100 - 1]:.1f} ms 99th percentile,"
         f" {1000 * times[-1]:.1f} ms at most", "target 10, 200")


def back(client, span, name, target, line, *, frm, insert):
    """Going back from an event with this inserted, which should not be met on the way."""
    client.monitor(f"seek {frm}")
    client.ask("Z" + insert)
    before = cpu_time(client.server.pid)
    took, _ = timed(lambda: client.ask("bc"))
    line(name, span.compared(took, cpu_time(client.server.pid) - before), target)
    client.ask("z" + insert)


def python_lines(debugging, tmrec, scratch, seconds, line):
    script, rounds, native = rounds_for(seconds, tmrec, scratch)
    trace = os.path.join(scratch, "python")
    recording, _ = timed(lambda: subprocess.run([tmrec, "record", "-q", "-o", trace, "--", "/usr/bin/python3", script, str(rounds)],
                                                check=True, stdout=subprocess.DEVNULL))
    line("recording", f"{recording:8.2f} s")
    span = Span(tmrec, trace)
    line("one replay", f"{span.measure():8.2f} s")
    took, client = timed(lambda: debugging.Client(trace))
    line("first prompt", f"{took:8.2f} s", "target 1")
    client.close()
    took, client = timed(lambda: debugging.Client(trace, "--at-end"))
    cpu = cpu_time(client.server.pid)
    line("one replay", f"{span.measure():8.2f} s")
    line("--at-end", span.compared(took, cpu), "target 1.2")

    def memory(when):
        held = resident(client.server.pid)
        line("memory " + when, f"{held >> 20:8d} MiB {held / native:6.2f} of the program's, with {client.monitor('copies').strip()}", "target 3")

    memory("at the end")
    steps_line(client, "reverse-stepi at the end", line)
    happened = debugging.events(trace)
    written = next(number for number, what in happened if what.startswith("write(1,"))
    at = next(int(found[1], 16) for _, what in happened if (found := re.match(rf"mmap\(NULL, {QUIET + 4096},.* = (0x\w+)", what)))
    middle = f"{written - 1}.{int(client.where().split('.')[1]) // 2}"
    took, _ = timed(lambda: client.monitor(f"seek {middle}"))
    line("seek to the middle", f"{took:8.2f} s")
    steps_line(client, "reverse-stepi in the middle", line)
    client.monitor("seek end")
    pc = client.register("rip")
    back(client, span, "reverse-continue, no hit", "target 1.5 + 0.5 s", line, frm="end", insert=f"0,{pc:x},1")
    watched = at + QUIET // 2
    back(client, span, "the same, watching a word", "target 3 + 0.5 s", line, frm=written, insert=f"2,{watched:x},8")
    back(client, span, "the same, watching 256 bytes", "target 3 + 0.5 s", line, frm=written, insert=f"2,{watched:x},100")
    memory("after that")
    client.close()
    next_line(debugging, trace, middle, line)


def next_line(debugging, trace, position, line):
    text = debugging.gdb(trace, f"seek {position}", NEXT)
    found = re.search(r"^took (.*)$", text, re.MULTILINE)
    if not found:
        line("reverse-next", "python3's debug information is not installed")
        return
    times = sorted(float(word) for word in found[1].split())
    line("reverse-next, by gdb", f"{1000 * statistics.median(times):8.1f} ms median, {1000 * times[-1]:.1f} ms at most", "target 100")


def compiled_hits(scratch):
    """The program, and where it has add() and data."""
    source, program = (os.path.join(scratch, name) for name in ("hits.c", "hits"))
    with open(source, "w") as f:
        f.write(HITS)
    subprocess.run(["gcc", "-O1", "-o", program, source], check=True)
    listing = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    return program, *(0x555555554000 + int(re.search(rf"^(\w+) . {name}$", listing, re.MULTILINE)[1], 16) for name in ("add", "data"))


def recorded_hits(tmrec, scratch, program, hits):
    trace = os.path.join(scratch, f"hits-{hits}")
    subprocess.run([tmrec, "record", "-q", "-o", trace, "--", program, str(hits)], check=True, stdout=subprocess.DEVNULL)
    return trace


def hit_lines(debugging, tmrec, scratch, line):
    program, at, data = compiled_hits(scratch)
    hits = HITS_TO_IGNORE
    client = debugging.Client(recorded_hits(tmrec, scratch, program, hits))
    rdi = [name for name, _ in client.registers].index("rdi")
    at_last = f"26{rdi:04x}25{hits - 1:016x}1327"
    client.ask(f"Z0,{at:x},1;X{len(at_last) // 2:x},{at_last}")
    took, stop = timed(lambda: client.ask("vCont;c"))
    if "swbreak" not in stop or client.register("rdi") != hits - 1:
        sys.exit(f"the condition became true, but: {stop}")
    line(f"{hits} false conditions", f"{took:8.2f} s {1e6 * took / hits:6.2f} us each", "target 5")
    took, _ = timed(lambda: client.ask("bc"))
    line("the same backwards", f"{took:8.2f} s {1e6 * took / hits:6.2f} us each")
    client.ask(f"z0,{at:x},1")
    client.monitor("seek end")
    client.ask(f"Z0,{at:x},1")
    took, _ = timed(lambda: client.ask("bc"))
    line(f"back to a breakpoint hit {hits} times", f"{took:8.2f} s")
    client.close()
    client = debugging.Client(recorded_hits(tmrec, scratch, program, HOT_WRITES))
    client.ask(f"Z2,{data + 136:x},100")
    took, stop = timed(lambda: client.ask("vCont;c"))
    if "watch" not in stop:
        sys.exit(f"what is watched was not seen: {stop}")
    line("256 bytes of a page written always", f"{took:8.2f} s {1e6 * took / HOT_WRITES:6.1f} us each write elsewhere")
    client.close()


def run(tmrec, scratch, scale):
    os.environ["TMREC"] = tmrec
    import debugging  # tests/gdb

    debugging.SECONDS = max(debugging.SECONDS, 60 * SECONDS * scale)

    def line(what, figures, target=""):
        print(f"{what:36} {figures:64} {target}".rstrip(), flush=True)

    python_lines(debugging, tmrec, scratch, max(0.2, SECONDS * scale), line)
    hit_lines(debugging, tmrec, scratch, line)
