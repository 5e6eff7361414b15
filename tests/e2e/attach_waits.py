"""Attaching at random moments to threads in every waiting call: each must go on as if nothing had been, and what was
recorded replays. Then the same with the supervisor killed in all phases.

ROUNDS in the environment says how often (tests/stress)."""

import os
import random
import signal
import subprocess
import sys
import time

from attaching import Attachment, state_of, threads_of
from recording import TMREC

GUEST = os.path.join(os.path.dirname(TMREC), "..", "tests", "guests", "attach_waits")
ROUNDS = int(os.environ.get("ROUNDS", "3"))


def start(seconds, *words):
    guest = subprocess.Popen([GUEST, str(seconds), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True)
    guest.stdout.readline()
    return guest


def finish(guest, what):
    try:
        out, _ = guest.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        for tid in threads_of(guest.pid):
            print(tid, *(open(f"/proc/{guest.pid}/task/{tid}/{name}").read().strip() for name in ("stat", "syscall")))
        os.killpg(guest.pid, signal.SIGKILL)
        guest.wait()
        sys.exit(f"{what}: the program hangs")
    if guest.returncode or b"EXIT-SUCCESS" not in out:
        sys.exit(f"{what}: status {guest.returncode}: {out.decode(errors='replace')[-500:]}")


def is_ending(guest):
    try:
        guest.wait(5)
        return True
    except subprocess.TimeoutExpired:
        return False


def attach_and_replay():
    guest = start(10)
    before = state_of(guest.pid)
    attachments = []
    for _ in range(3):
        time.sleep(random.uniform(0, 0.3))
        if guest.poll() is not None:
            break
        attachment = Attachment(guest.pid, ["--for", f"{random.randint(1, 800)}ms"], check=50)
        if attachment.process.wait(60) and is_ending(guest):
            break
        attachments.append(attachment.finish())
        now = state_of(guest.pid)
        if now != before:
            sys.exit(f"the program has {now}, and had {before}; {attachments[-1].notes()}")
    finish(guest, "attached to and let go")
    for attachment in attachments:
        attachment.replay()


def kill_supervisor():
    guest = start(10, "interrupted")  # by a kill in the microseconds after a stop
    for _ in range(4):
        time.sleep(random.uniform(0, 0.3))
        if guest.poll() is not None:
            break
        attachment = Attachment(guest.pid, ["--for", "20s"])
        deadline = time.monotonic() + 20
        while not (supervisor := attachment.supervisor()) and time.monotonic() < deadline and guest.poll() is None:
            time.sleep(0.0005)
        if supervisor:
            time.sleep(random.choice((0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.4)))
            os.kill(supervisor, signal.SIGKILL)
        attachment.finish()
    finish(guest, "its supervisor killed")


for number in range(ROUNDS):
    if "killed" not in sys.argv:
        attach_and_replay()
    kill_supervisor()
print(f"{ROUNDS} rounds")
