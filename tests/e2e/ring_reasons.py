"""What makes a ring, or a whole trace, worth keeping: crashes of any process, failures; and what does not."""

import os
import signal
import subprocess
import sys

from recording import TMREC, file, scratch, wait_until
from ringing import manifest, replay, start, traces, words

SERVICE = """
import os, signal, sys, threading, time
kind, rounds = sys.argv[1], int(sys.argv[2])
shared = []
def work():
    for i in range(rounds):
        shared.append(sum(j * j % 7 for j in range(500)) + i)
        if i % 50 == 0:
            os.stat("/")
threads = [threading.Thread(target=work) for _ in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
print("worked", sum(shared), flush=True)
if kind == "worker":
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGSEGV)
    print("the worker ended with", os.waitpid(child, 0)[1], flush=True)
    [os.stat("/") for _ in range(1000)]
elif kind == "abort":
    os.abort()
elif kind == "fail":
    sys.exit(3)
elif kind == "term":
    os.kill(os.getpid(), signal.SIGTERM)
"""
service = file("service.py", SERVICE)
numbers = iter(range(100))


def run(kind, options, status, kept, reason="", rounds=2000):
    base = os.path.join(scratch, f"traces-{next(numbers)}")
    tmrec = start(base, options, [sys.executable, service, kind, str(rounds)])
    if tmrec.wait(120) != status:
        sys.exit(f"{kind} {options}: status {tmrec.returncode}, expected {status}; {words(base)}")
    if (found := len(traces(base))) != kept:
        sys.exit(f"{kind} {options}: {found} traces are kept, expected {kept}; {words(base)}")
    if reason not in words(base):
        sys.exit(f"{kind} {options}: no word of {reason!r} in {words(base)!r}")
    return traces(base)


RING = ("--ring", "1h", "--starting-points", "300")
for options in (RING, ("--ring", "1h"), ("--ring", "16M")):
    (trace,) = run("abort", (*options, "--on-crash"), 128 + signal.SIGABRT, 1, "kept, process ")
    replay(trace, 128 + signal.SIGABRT)
    if not any(note["what"].startswith("kept: process ") for note in manifest(trace)["notes"]):
        sys.exit(f"the manifest does not say why: {manifest(trace)['notes']}")
(trace,) = run("fail", (*RING, "--on-exit-failure"), 3, 1, "kept, it ended with status 3")
replay(trace, 3)
(trace,) = run("worker", (*RING, "--on-crash"), 0, 1, "was killed by SIGSEGV; the last ")
replay(trace, 0)
run("none", (*RING, "--on-crash", "--on-exit-failure"), 0, 0)
run("fail", (*RING, "--on-crash"), 3, 0)
run("term", (*RING, "--on-crash"), 128 + signal.SIGTERM, 0)
run("abort", (*RING, "--on-exit-failure"), 128 + signal.SIGABRT, 1)


def whole(kind, option, status, kept):
    """Without a ring: all or nothing."""
    trace = os.path.join(scratch, f"whole-{next(numbers)}")
    done = subprocess.run([TMREC, "record", "-o", trace, option, "--", sys.executable, service, kind, "50"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)
    if done.returncode != status or os.path.exists(trace) != kept:
        sys.exit(f"{kind} {option}: status {done.returncode}, kept {os.path.exists(trace)}: {done.stderr}")
    if kept:
        replay(trace, status)


whole("abort", "--on-crash", 128 + signal.SIGABRT, True)
whole("fail", "--on-crash", 3, False)
whole("fail", "--on-exit-failure", 3, True)
whole("none", "--on-exit-failure", 0, False)

for options, word in ((["--ring", "60s"], "save it when"), (["--ring", "soon", "--on-crash"], "neither a time"),
                      (["--ring", "10ms", "--on-crash"], "at least 1s"), (["--ring", "1M", "--on-crash"], "at least 16M"),
                      (["--ring", "60s", "--on-crash", "--for", "1s"], "--for"),
                      (["--on-signal", "USR2", "--on-crash"], "only with --ring"),
                      (["--max-memory", "1M"], "at least 64M")):
    done = subprocess.run([TMREC, "record", "-o", os.path.join(scratch, "refused"), *options, "--", "true"], capture_output=True, text=True)
    if done.returncode != 2 or word not in done.stderr or done.stderr.count("\n") != 1:
        sys.exit(f"{options}: {done.returncode} {done.stderr!r}")

# The supervisor is killed: the service goes on, with correct results, and what was there replays up to then.
base = os.path.join(scratch, "killed")
tmrec = start(base, ["--ring", "1s", "--on-crash"], [sys.executable, service, "fail", "60000"])
supervisor = lambda: subprocess.run(["pgrep", "-P", str(tmrec.pid), "tmrec"], capture_output=True, text=True).stdout.split()
wait_until(lambda: traces(base) and "snapshot-1-" not in "".join(os.listdir(traces(base)[0])), "nothing is dropped")
wait_until(supervisor, "there is no supervisor")
os.kill(int(supervisor()[0]), signal.SIGKILL)
if tmrec.wait(120) != 3:
    sys.exit(f"after the supervisor was killed: status {tmrec.returncode}; {words(base)}")
with open(base + ".out") as f:
    if "worked" not in f.read():
        sys.exit("the service did not go on")
(trace,) = traces(base)
broken = subprocess.run([TMREC, "replay", "-a", trace], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200)
if "desync" in broken.stderr or "cut off" not in broken.stderr:
    sys.exit(f"the replay of what the killed one left: {broken.returncode} {broken.stderr[-2000:]}")

# tmrec needs more memory than it may have: the recording ends, the service does not.
base = os.path.join(scratch, "memory")
big = file("big.py", "held = bytearray(b'x' * (200 << 20))\nimport os\nfor i in range(40000): os.stat('/'); held[i * 4096] = 1\nprint('done', flush=True)")
tmrec = start(base, ["--ring", "1s", "--starting-points", "2000", "--on-crash", "--max-memory", "150M"], [sys.executable, big])
if tmrec.wait(120) != 0 or "more than --max-memory allows" not in words(base):
    sys.exit(f"--max-memory: {tmrec.returncode} {words(base)}")
with open(base + ".out") as f:
    if f.read() != "done\n":
        sys.exit("--max-memory: the program did not go on")
print("crashes and failures are kept, all else is not")
