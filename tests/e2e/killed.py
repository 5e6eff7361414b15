"""kill -9 of the supervisor: the program goes on unrecorded, and the trace replays up to its last chunk."""

import os
import subprocess
import time

from recording import TMREC, Recording, file, need, scratch

python = need("/usr/bin/python3")
SCRIPT = """
import os, sys, time
for i in range(400):
    print("line", i, os.getpid(), flush=True)
    os.stat("/"); time.sleep(0.005)
open(sys.argv[1], "w").write("finished")
"""
for delay in (0.3, 1.5):
    mark = os.path.join(scratch, f"mark-{delay}")
    recording = Recording([python, file("script.py", SCRIPT), mark])
    recording.program()
    time.sleep(delay)
    recording.process.kill()
    recording.process.wait()
    deadline = time.monotonic() + 60
    while not os.path.exists(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    recording.check(os.path.exists(mark), "the program did not survive its supervisor")
    recording._out.seek(0)
    everything = recording._out.read()
    done = subprocess.run([TMREC, "replay", "-a", recording.trace], capture_output=True, timeout=120)
    recording.check(b"desync" not in done.stderr, f"replay: {done.stderr!r}")
    recording.check(everything.startswith(done.stdout), "the replay printed something else")
    recording.check(done.returncode != 3 and done.returncode < 128, f"the replay ended with {done.returncode}")
