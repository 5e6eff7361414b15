"""Attaching copies memory by a fork that the program cannot see, and goes on while it is read; where the program may start no
process, it stands still instead; a supervisor that is killed meanwhile leaves no process behind."""

import os
import random
import signal
import subprocess
import sys
import time

from attaching import Attachment, state_of
from recording import TMREC, scratch, wait_until

GUEST = os.path.join(os.path.dirname(TMREC), "..", "tests", "guests", "attach_memory")
ROUNDS = int(os.environ.get("ROUNDS", "2"))


def start(*words):
    os.chmod(scratch, 0o755)
    guest = subprocess.Popen([GUEST, "200", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    guest.stdout.readline()
    return guest


def children(pid):
    found = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/children") as f:
            found += f.read().split()
    return found


def finish(guest, what):
    guest.terminate()
    out, _ = guest.communicate(timeout=100)
    if guest.returncode or b"EXIT-SUCCESS" not in out:
        sys.exit(f"{what}: status {guest.returncode}: {out.decode(errors='replace')[-500:]}")


def attached(word, *words):
    """Recorded with a short time between checks of memory, let go, replayed."""
    guest = start(*words)
    before = state_of(guest.pid)
    for _ in range(2):
        attachment = Attachment(guest.pid, ["--for", f"{random.randint(300, 1200)}ms"], check=100).finish()
        if word not in (notes := attachment.notes()) or "to be attached to" not in notes:
            sys.exit(f"not {word!r}: {notes}")
        if children(guest.pid) or state_of(guest.pid) != before:
            sys.exit(f"{children(guest.pid)} were left, {state_of(guest.pid)} was {before}")
        attachment.replay()
    finish(guest, word)


def killed():
    guest = start()
    for _ in range(int(os.environ.get("KILLS", "4"))):
        attachment = Attachment(guest.pid, ["--for", "20s"])
        wait_until(attachment.supervisor, "it is not attached to")
        supervisor = attachment.supervisor()
        # A child of the program while the copy is read.
        deadline = time.monotonic() + random.uniform(0, 0.3)
        while not children(guest.pid) and time.monotonic() < deadline:
            pass
        os.kill(supervisor, signal.SIGKILL)
        attachment.finish()
        if left := children(guest.pid):
            sys.exit(f"left behind: {open(f'/proc/{left[0]}/stat').read()}; {attachment.out.decode()}")
    finish(guest, "its supervisor killed")


for number in range(ROUNDS):
    attached("memory copied by fork")
    killed()
attached("memory copied while the program stood still, since fork failed", "limited")
print(f"{ROUNDS} rounds")
