"""What goes wrong with a recorder while it is attached to servers under load: killed, its disk full or hanging. The
recording ends, what was recorded replays as far as it goes, the server answers on and can be recorded again.

ROUNDS in the environment says how often each (tests/stress --faults)."""

import contextlib
import ctypes
import functools
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from attaching import Attachment, state_of, threads_of
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


@contextlib.contextmanager
def held_still(tid):
    """A thread that is no program of ours: by ptrace(2), which a disk that hangs would do as well."""
    libc, seize, interrupt, detach, any_thread = ctypes.CDLL(None, use_errno=True), 0x4206, 0x4207, 17, 0x40000000
    for request in (seize, interrupt):
        if libc.ptrace(ctypes.c_long(request), ctypes.c_long(tid), ctypes.c_long(0), ctypes.c_long(0)):
            sys.exit(f"thread {tid} cannot be held: {os.strerror(ctypes.get_errno())}")
    os.waitpid(tid, any_thread)
    try:
        yield
    finally:
        libc.ptrace(ctypes.c_long(detach), ctypes.c_long(tid), ctypes.c_long(0), ctypes.c_long(0))


def large_value_asker(port):
    local, request = threading.local(), b"*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$200000\r\n%s\r\n" % os.urandom(200_000)

    def ask():
        if not hasattr(local, "socket"):
            local.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        local.socket.sendall(request)
        if (got := local.socket.recv(100)) != b"+OK\r\n":
            raise ValueError(f"answered {got!r}")

    return ask


def disk_hangs(server, port):
    """The thread that writes the log stands still, until after the server has been let go."""
    attachment = Attachment(server.pid, ["--for", "100s", "--stall", "1s"])
    wait_until(attachment.supervisor, "it is not attached to", 200)
    recorder = attachment.supervisor()

    def writer():
        for tid in threads_of(recorder):
            with open(f"/proc/{recorder}/task/{tid}/comm", encoding="ascii") as f:
                if f.read() == "tmrec-log\n":
                    return tid
        return None

    wait_until(writer, "nobody writes the log")
    load = Load(large_value_asker(port))
    with held_still(writer()):
        wait_until(lambda: load.failure or not attachment.supervisor(), "nothing is written, and the recording goes on", 90)
        answered = load.answers
        wait_until(lambda: load.failure or load.answers > answered + 20, "nobody is answered any more")
    load.stop()
    if load.failure:
        sys.exit(f"a disk that hangs: {load.failure}")
    if "cannot be written as fast" not in attachment.finish(100).notes():
        sys.exit(f"recorded with a disk that hangs: {attachment.notes()}")
    return attachment


def faults_of(make, port):
    """By name. What is written down of other servers takes minutes to fill the queue of a disk that hangs."""
    found = {"killed": killed, "disk_full": disk_full}
    if make is redis:
        found["disk_hangs"] = functools.partial(disk_hangs, port=port)
    return found


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
            for name, fault in faults_of(make, port).items():
                what = f"{make.__name__}, {name}, round {number + 1}"
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
