"""What goes wrong with a recorder while it is attached to servers under load: killed, or its disk full. The
recording ends, what was recorded replays as far as it goes, the server answers on and can be recorded again.

ROUNDS in the environment says how often each (tests/stress --faults)."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

from attaching import Attachment, state_of
from attaching.servers import Load, go, nginx, node, pool, postgres, redis
from recording import TMREC, await_port, free_port, scratch, wait_until

ROUNDS = int(os.environ.get("ROUNDS", "1"))
NAMES = os.environ.get("SERVERS", "redis nginx pool").split()


def killed(server):
    attachment = Attachment(server.pid, ["--for", "60s"])
    wait_until(attachment.supervisor, "it is not attached to", 200)
    time.sleep(random.choice((0, 0.01, 0.1, 1, 2)))
    if supervisor := attachment.supervisor():
        os.kill(supervisor, signal.SIGKILL)
    return attachment.finish(300)


def disk_full(server):
    """No file may grow further, which is as if the disk were full."""
    limit = random.choice((100_000, 1_000_000))
    attachment = Attachment(server.pid, ["--for", "60s"], before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    begun = time.monotonic()
    try:
        attachment.finish(300)
    except SystemExit:  # before it was attached to: a blob or a plan had no room
        if b"File too large" not in attachment.out:
            raise
    if time.monotonic() - begun > 60:
        sys.exit(f"the recording went on with files of no more than {limit} bytes")
    return attachment


def check(make):
    port = free_port()
    argv, ask = make(port)
    if not shutil.which(argv[0]) and not shutil.which(make.__name__):
        print(f"{make.__name__} is not installed")
        return
    with open(os.path.join(scratch, f"{make.__name__}.log"), "wb") as log:
        server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=scratch)
    try:
        await_port(port)
        before = state_of(server.pid)
        load = Load(ask)
        time.sleep(0.5)
        for number in range(ROUNDS):
            for fault in (killed, disk_full):
                what = f"{make.__name__}, {fault.__name__}, round {number + 1}"
                attachment = fault(server)
                answered = load.answers
                wait_until(lambda: load.failure or load.answers > answered + 20, f"{what}: nobody is answered any more")
                if load.failure or server.poll() is not None:
                    sys.exit(f"{what}: {load.failure or 'the server has ended'}")
                now = state_of(server.pid)
                if (now["TracerPid"], now["Cpus_allowed"]) != (before["TracerPid"], before["Cpus_allowed"]):
                    sys.exit(f"{what}: the server has {now}, and had {before}")
                attachment.replay_part()
        Attachment(server.pid, ["--for", "500ms"]).finish(300).replay()
        load.stop()
        if load.failure:
            sys.exit(f"{make.__name__}: {load.failure}")
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    print(f"{make.__name__}: {ROUNDS} rounds of each fault, {load.answers} answers", flush=True)


for name in NAMES:
    check({"redis": redis, "nginx": nginx, "pool": pool, "postgres": postgres, "go": go, "node": node}[name])
