"""A server recorded under load for a long time: the supervisor needs no more memory at the end than soon after the beginning, and what
was recorded replays."""

import os
import re
import socket
import subprocess
import threading
import time

MOST_MEMORY = 150 << 20  # bytes, of the supervisor
GROWTH = 8 << 20         # what an allocator may take more without anything having grown
CLIENTS = 50


class Failed(Exception):
    """What is not as it should be."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def supervisor_of(front):
    """The process of tmrec's that traces: a child of the one that was started, as the program is."""
    own = os.readlink(f"/proc/{front}/exe")
    with open(f"/proc/{front}/task/{front}/children", encoding="ascii") as f:
        for child in f.read().split():
            if os.readlink(f"/proc/{child}/exe") == own:
                return int(child)
    raise Failed("no supervisor")


def memory_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) << 10


class Load(threading.Thread):
    """Runs redis-benchmark again and again until `seconds` are over."""

    def __init__(self, port, seconds):
        super().__init__(daemon=True)
        self.port, self.end, self.requests, self.failure = port, time.monotonic() + seconds, 0, None
        self.start()

    def run(self):
        kinds, each = ("set", "get", "incr", "lpush", "lrange_100", "mset"), 20000
        while time.monotonic() < self.end and not self.failure:
            done = subprocess.run(["redis-benchmark", "-h", "127.0.0.1", "-p", str(self.port), "-n", str(each), "-c", str(CLIENTS), "-r", "10000",
                                   "-t", ",".join(kinds), "--csv"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
            if done.returncode or done.stdout.count('"') < len(kinds):
                self.failure = f"redis-benchmark: status {done.returncode}: {done.stdout[-300:]}"
            self.requests += each * len(kinds)
            # Lists would grow for ever.
            subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), "flushall"], stdout=subprocess.DEVNULL, check=False, timeout=60)


def wait_for(port, server):
    for _ in range(600):
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if server.poll() is not None:
                raise Failed(f"redis-server ended with status {server.returncode}") from None
            time.sleep(0.1)
    raise Failed("redis-server does not listen")


def watch(front, supervisor, load, seconds):
    """Samples memory until the load ends; gives (most in the first part, most afterwards)."""
    warm_up = time.monotonic() + min(300, seconds / 3)
    first = later = 0
    while load.is_alive():
        if front.poll() is not None:
            raise Failed(f"the recording ended with status {front.returncode}")
        now = memory_of(supervisor)
        if time.monotonic() < warm_up:
            first = max(first, now)
        else:
            later = max(later, now)
        if now > MOST_MEMORY:
            raise Failed(f"the supervisor has {now >> 20} MiB")
        time.sleep(1)
    if load.failure:
        raise Failed(load.failure)
    if later > first + GROWTH:
        raise Failed(f"the supervisor grew from {first / 2**20:.1f} to {later / 2**20:.1f} MiB")
    return first, later


def replay(tmrec, trace, environment):
    begun = time.monotonic()
    done = subprocess.run([tmrec, "replay", "-a", trace], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, env=environment)
    if done.returncode:
        raise Failed(f"replay: status {done.returncode}: {done.stderr[-1000:]}")
    return time.monotonic() - begun


def run(tmrec, minutes, scratch):
    """Prints a line of figures. Throws Failed."""
    trace, port, seconds = os.path.join(scratch, "trace"), free_port(), minutes * 60
    environment = dict(os.environ, TMREC_CACHE_DIR=os.path.join(scratch, "plans"), TMREC_BLOB_DIR=os.path.join(scratch, "blobs"))
    front = subprocess.Popen([tmrec, "record", "-q", "-o", trace, "--", "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                              "--dir", scratch], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment)
    try:
        wait_for(port, front)
        supervisor = supervisor_of(front.pid)
        load = Load(port, seconds)
        first, later = watch(front, supervisor, load, seconds)
        subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", str(port), "shutdown", "nosave"], check=True, timeout=60)
        if front.wait(120) != 0:
            raise Failed(f"recording: status {front.returncode}")
    finally:
        if front.poll() is None:
            front.terminate()
            try:
                front.wait(60)
            except subprocess.TimeoutExpired:
                front.kill()
                front.wait()
    log = os.path.join(trace, "log")
    size = sum(os.stat(os.path.join(log, name)).st_size for name in os.listdir(log))
    took = replay(tmrec, trace, environment)
    print(f"{minutes} minutes, {load.requests} requests, {load.requests / seconds:.0f} a second, {size / load.requests:.1f} bytes of trace for each; "
          f"supervisor {first / 2**20:.1f} MiB at first, {later / 2**20:.1f} MiB afterwards; replayed in {took:.0f} s", flush=True)
