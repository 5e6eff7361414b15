"""How fast a trace is packed, and how soon a packed one is open: tests/bench/pack.py [MIB] [ROUNDS]

The trace is a snapshot of a process with so much in use, a third of it random, a third text, a third small numbers, and
the libraries of python3. Rates are of what the trace holds, beside cp, which reads and writes the same.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TMREC = os.environ.get("TMREC") or os.path.realpath(os.path.join(os.path.dirname(__file__), "../../build/cli/tmrec"))
MIB = int(sys.argv[1]) if len(sys.argv) > 1 else 600
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
PROGRAM = """
import random, sys, time
chance = random.Random(1)
words = [b"%x" % chance.getrandbits(40) for _ in range(5000)]
kept = []
for n in range(int(sys.argv[1])):
    kept.append([lambda: chance.randbytes(1 << 20), lambda: b" ".join(chance.choices(words, k=100000))[:1 << 20],
                 lambda: bytes(chance.choices(range(8), k=1024)) * 1024][n % 3]())
print("ready", flush=True)
while True: time.sleep(0.01)
"""


def timed(*argv):
    start = time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


with tempfile.TemporaryDirectory(prefix="tmrec-bench-") as scratch:
    trace, pack, copy = (os.path.join(scratch, name) for name in ("trace", "pack.tmrec", "copy"))
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(MIB)], stdout=subprocess.PIPE)
    try:
        program.stdout.readline()
        subprocess.run([TMREC, "record", "-q", "-p", str(program.pid), "--for", "300ms", "-o", trace], check=True)
    finally:
        program.kill()
        program.wait()
    info = json.loads(subprocess.run([TMREC, "info", "--json", trace], check=True, capture_output=True).stdout)
    size = sum(part["bytes"] for name, part in info["contents"].items() if name != "missing_blobs")
    times = {"pack": [], "open": [], "cp": []}
    for _ in range(ROUNDS):
        for leftover in (pack, copy):
            if os.path.exists(leftover):
                os.remove(leftover)
        times["pack"].append(timed(TMREC, "pack", "-q", trace, "-o", pack))
        times["open"].append(timed(TMREC, "dump", "--to", "1", pack))
        times["cp"].append(timed("sh", "-c", f"cat {trace}/*.core {trace}/log/* >{copy} && sync {copy}"))
    ratio = size / os.path.getsize(pack)
    print(f"{size / 1e6:.0f} MB, packed to {1 / ratio:.2f} of it")
    for name, list_of in times.items():
        print(f"{name:5} {size / 1e6 / statistics.median(list_of):6.0f} MB/s  (median of {ROUNDS})")
