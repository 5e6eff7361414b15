"""tmrec as the first process of a container: it reaps what has lost its parent, passes signals on, records when told to,
and ends with the service's status."""

import os
import re
import signal
import subprocess
import sys
import time

from recording import TMREC, file, scratch

SERVICE = """
import os, signal, subprocess, sys, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append("term"))
signal.signal(signal.SIGHUP, lambda *_: asked.append("hup"))
for _ in range(20):
    subprocess.run(["sh", "-c", "(sleep 0.02; exit 3) & exit 0"])
print("parent", os.getppid(), flush=True)
while "term" not in asked:
    sum(i * i for i in range(5000))
    time.sleep(0.005)
zombies = [name for name in os.listdir("/proc") if name.isdigit() and open(f"/proc/{name}/stat").read().rsplit(")", 1)[1].split()[0] == "Z"]
print("asked", *asked, "zombies", len(zombies), flush=True)
sys.exit(9)
"""
unshare = ["unshare", *([] if os.getuid() == 0 else ["--user", "--map-root-user"]), "--pid", "--fork", "--mount-proc", "--kill-child"]
if subprocess.run([*unshare, "true"], capture_output=True).returncode:
    print("no namespaces here")
    sys.exit(77)


def wait_until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            sys.exit(f"after {seconds} s: {what}")
        time.sleep(0.01)
    return value


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        words = f.read().split()
    return int(words[0]) if words else None


base = os.path.join(scratch, "traces")
os.mkdir(base)
container = subprocess.Popen([*unshare, TMREC, "record", "--on-signal", "USR2", "--for", "300ms", "-o", base, "--", sys.executable,
                              file("service.py", SERVICE)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
try:
    if container.stdout.readline() != "parent 1\n":
        sys.exit(f"the service's parent is another: {container.stderr.read()}")
    init = child_of(container.pid)
    os.kill(init, signal.SIGHUP)
    os.kill(init, signal.SIGUSR2)
    wait_until(lambda: os.path.lexists(f"{base}/latest"), "there is no trace")
    time.sleep(0.1)
    os.kill(init, signal.SIGTERM)
    out, errors = container.communicate(timeout=60)
finally:
    container.kill()
    container.wait()
if container.returncode != 9 or not re.search(r"^asked hup term zombies 0$", out, re.MULTILINE):
    sys.exit(f"status {container.returncode}, {out!r}, {errors}")
verified = subprocess.run([TMREC, "replay", "--verify", f"{base}/latest"], capture_output=True, text=True, timeout=200)
if verified.returncode:
    sys.exit(f"the replay ended with {verified.returncode}: {verified.stderr}")

failing = subprocess.run([*unshare, TMREC, "record", "--on-signal", "USR2", "--", "sh", "-c", "kill -SEGV $$"], capture_output=True, text=True)
if failing.returncode != 139:
    sys.exit(f"after SIGSEGV: status {failing.returncode}, {failing.stderr}")
plain = subprocess.run([*unshare, TMREC, "record", "-q", "-o", os.path.join(scratch, "plain"), "--", "sh", "-c", "(sleep 0.1 &) ; echo $PPID; exit 4"],
                       capture_output=True, text=True, timeout=100)
if plain.returncode != 4:
    sys.exit(f"recorded from the start: status {plain.returncode}, {plain.stderr}")
print("reaped, passed on, recorded")
