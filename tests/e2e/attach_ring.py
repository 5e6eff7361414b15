"""A flight recorder for a program that runs already: saved at a signal, ended by Ctrl-C, kept at a crash."""

import os
import signal
import subprocess
import sys

from attaching import state_of
from recording import TMREC, file, scratch, wait_until
from ringing import manifest, replay, traces

SERVICE = """
import os, signal, threading, time
def work():
    while True:
        sum(i * i for i in range(2000)); os.stat("/"); time.sleep(0.002)
[threading.Thread(target=work, daemon=True).start() for _ in range(3)]
signal.signal(signal.SIGUSR1, lambda *_: os.abort())
print("ready", flush=True)
while True: time.sleep(0.05)
"""


def words(base):
    with open(base + ".err") as f:
        return f.read()


def session(number, end):
    base = os.path.join(scratch, f"traces-{number}")
    os.mkdir(base)
    service = subprocess.Popen([sys.executable, file("service.py", SERVICE)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    tmrec = None
    try:
        service.stdout.readline()
        before = state_of(service.pid)
        with open(base + ".err", "wb") as err:
            tmrec = subprocess.Popen([TMREC, "record", "-p", str(service.pid), "--ring", "1s", "--on-signal", "USR2", "--on-crash", "-o", base],
                                     stdin=subprocess.DEVNULL, stderr=err)
        wait_until(lambda: "attached" in words(base), "it is not attached to")
        wait_until(lambda: any(name.startswith("snapshot-") and not name.startswith("snapshot-1-") for name in os.listdir(traces(base)[0])),
                   "there is no starting point")
        wait_until(lambda: not any(name.startswith("snapshot-1-") for name in os.listdir(traces(base)[0])), "nothing is dropped")
        for saved in (1, 2):
            tmrec.send_signal(signal.SIGUSR2)
            wait_until(lambda: words(base).count("saved: signal SIGUSR2") == saved, "nothing is saved")
        status = end(service, tmrec)
        if tmrec.wait(60) != status:
            sys.exit(f"status {tmrec.returncode}, expected {status}; {words(base)}")
        kept = traces(base)
        if len(kept) != 3:
            sys.exit(f"{kept} are kept; {words(base)}")
        for trace in kept[1:]:
            replay(trace, 0)
            if manifest(trace)["first_event"] <= 1:
                sys.exit(f"{trace} holds all since the beginning")
        replay(kept[0], status)
        if status == 0 and (service.poll() is not None or state_of(service.pid) != before):
            sys.exit(f"afterwards: {service.poll()} {state_of(service.pid)}, before {before}")
    finally:
        for process in (tmrec, service):
            if process and process.poll() is None:
                process.kill()
                process.wait()


def interrupted(service, tmrec):
    tmrec.send_signal(signal.SIGINT)
    return 0


def crashes(service, tmrec):
    service.send_signal(signal.SIGUSR1)
    service.wait(60)
    return 128 + signal.SIGABRT


session(1, interrupted)
session(2, crashes)
print("saved, let go, and kept at a crash")
