"""A service that is recorded at a signal: untraced until then, several times, with its signals and its exit status."""

import os
import re
import signal
import subprocess
import sys
import time

from recording import TMREC, file, scratch, wait_until

SERVICE = """
import os, signal, sys, time
rounds, asked = 0, []
signal.signal(signal.SIGUSR1, lambda *_: asked.append("usr1"))
signal.signal(signal.SIGTERM, lambda *_: asked.append("term"))
print("ready", os.getpid(), flush=True)
while "term" not in asked:
    rounds += 1
    sum(i * i for i in range(20000))
    time.sleep(0.005)
print("asked", *asked, flush=True)
sys.exit(7)
"""


def tracer_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^TracerPid:\s*(\d+)$", f.read(), re.M).group(1))


base = os.path.join(scratch, "traces")
os.mkdir(base)
log = open(os.path.join(scratch, "log"), "w+")
tmrec = subprocess.Popen([TMREC, "record", "--on-signal", "USR2", "--for", "500ms", "--max-traces", "2", "-o", base, "--",
                          sys.executable, file("service.py", SERVICE)], stdout=subprocess.PIPE, stderr=log, text=True)
try:
    pid = int(tmrec.stdout.readline().split()[1])
    if tracer_of(pid):
        sys.exit("the service is traced before the signal")
    for number in range(1, 4):
        if number == 2:
            subprocess.run([TMREC, "trigger", str(pid)], check=True, capture_output=True, timeout=20)
        else:
            tmrec.send_signal(signal.SIGUSR2)
        wait_until(lambda: tracer_of(pid), "the service is not traced")
        tmrec.send_signal(signal.SIGUSR2)  # one too many
        wait_until(lambda: os.path.lexists(f"{base}/latest") and os.readlink(f"{base}/latest").endswith(f"-{number}"),
                   "there is no trace")
        wait_until(lambda: tracer_of(pid) == 0, "the service is still traced")
    tmrec.send_signal(signal.SIGUSR1)
    time.sleep(0.1)
    tmrec.send_signal(signal.SIGTERM)
    out, _ = tmrec.communicate(timeout=60)
finally:
    if tmrec.poll() is None:
        os.kill(pid, signal.SIGKILL)
        tmrec.kill()
        tmrec.wait()
log.seek(0)
words = log.read()
if tmrec.returncode != 7 or "asked usr1 term" not in out:
    sys.exit(f"status {tmrec.returncode}, printed {out!r}; {words}")
wait_until(lambda: sum(name.rpartition("-")[2].isdigit() for name in os.listdir(base)) == 2, "other than two traces are kept")
for number in (2, 3):
    trace = next(os.path.join(base, name) for name in os.listdir(base) if name.endswith(f"-{number}"))
    done = subprocess.run([TMREC, "replay", "-a", trace], capture_output=True, text=True, timeout=200)
    if done.returncode:
        sys.exit(f"the replay of {trace} ended with {done.returncode}: {done.stderr[-2000:]}")
missing = subprocess.run([TMREC, "record", "--on-signal", "USR2", "--", "./nobody"], capture_output=True, text=True, cwd=scratch)
if missing.returncode != 127:
    sys.exit(f"a missing program: {missing.returncode} {missing.stderr}")
bad = subprocess.run([TMREC, "record", "--on-signal", "KILL", "--", "true"], capture_output=True, text=True)
if bad.returncode != 2 or "KILL" not in bad.stderr:
    sys.exit(f"SIGKILL: {bad.returncode} {bad.stderr}")
print("three recordings, two kept")
