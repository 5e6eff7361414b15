"""What recording on demand costs a service: tests/bench/run --demand.

Latencies are of one request after another from each of some clients, in Python threads, while tmrec attaches and while it lets go:
all requests that overlap with the time from the start of tmrec to its "attached", and from the end of the recording on for a second.
The baseline is the same clients before. With few requests in such a window the 99th percentile is nearly the longest.
"""

import bisect
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

from calls import await_port, free_port
from ticks import Bench, run_sections

IN_USE_MB = 500
VALUE = 4000
POOL = """
import hashlib, socket, sys, threading
server = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=100)
def serve():
    while True:
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(4096):
                connection.sendall(hashlib.sha256(data * 300).hexdigest().encode() + b"\\n")
threads = [threading.Thread(target=serve) for _ in range(20)]
[t.start() for t in threads]
[t.join() for t in threads]
"""


class Clients:
    """Threads that ask all the time. Each answer ends with a newline."""

    def __init__(self, port, question, count):
        self.times, self.failure, self._stop = [[] for _ in range(count)], None, False
        self.threads = [threading.Thread(target=self._run, args=(port, question, times)) for times in self.times]
        for thread in self.threads:
            thread.start()

    def _run(self, port, question, times):
        try:
            with socket.create_connection(("127.0.0.1", port), 60) as connection:
                while not self._stop:
                    begun = time.monotonic()
                    connection.sendall(question)
                    answer = b""
                    while not answer.endswith(b"\n"):
                        answer += connection.recv(65536) or b"closed\n"
                    if answer == b"closed\n":
                        raise RuntimeError("the connection was closed")
                    times.append((begun, time.monotonic()))
        except Exception as error:
            self.failure = error

    def latencies(self, begin, end):
        """In milliseconds, sorted, of requests that overlap with that time."""
        found = []
        for times in self.times:
            known = list(times)
            first = bisect.bisect_left(known, begin, key=lambda request: request[1])
            found += [1e3 * (b - a) for a, b in known[first:] if a <= end]
        return sorted(found)

    def stop(self):
        self._stop = True
        for thread in self.threads:
            thread.join()
        if self.failure:
            raise RuntimeError(f"a client failed: {self.failure}")


def p99(latencies):
    return latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)]


def redis_argv(bench, port):
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", bench.scratch, "--enable-debug-command", "local"]


def fill(port):
    command = f"DEBUG POPULATE {IN_USE_MB * 1000000 // VALUE} key {VALUE}\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 300) as connection:
        connection.sendall(command)
        if (answer := connection.recv(100)) != b"+OK\r\n":
            raise RuntimeError(f"redis says {answer!r}")


def requests_a_second(port, seconds):
    """Of a client in C, over so long."""
    counted = lambda: int(re.search(rb"total_commands_processed:(\d+)", ask(port, b"INFO stats\r\n"))[1])
    load = subprocess.Popen(["redis-benchmark", "-p", str(port), "-n", "1000000000", "-c", "50", "-r", "100000", "-d", "100", "-t", "set"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        before, begun = counted(), time.monotonic()
        time.sleep(seconds)
        return (counted() - before) / (time.monotonic() - begun)
    finally:
        load.kill()
        load.wait()


def ask(port, question):
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(question)
        answer = connection.recv(65536)
        size = int(answer[1:answer.index(b"\r\n")])
        while len(answer) < size:
            answer += connection.recv(65536)
        return answer


def served(argv, port, out=subprocess.DEVNULL):
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out)
    await_port(process, port)
    return process


def shut_down(process, port):
    subprocess.run(["redis-cli", "-p", str(port), "shutdown", "nosave"], capture_output=True)
    process.wait(120)


def ring(bench):
    print(f"\nring of 60 s, redis with {IN_USE_MB} MB in use", flush=True)
    seconds = max(3, bench.many(35))
    rates = {"native": [], "ring": []}
    for number in range(min(bench.rounds, 3)):
        for mode, rate in rates.items():
            port = free_port()
            base, log = os.path.join(bench.scratch, f"ring-{number}"), os.path.join(bench.scratch, "ring.log")
            prefix = [bench.tmrec, "record", "--ring", "60s", "--on-signal", "USR2", "-o", base, "--"] if mode == "ring" else []
            with open(log, "wb") as words:
                server = served([*prefix, *redis_argv(bench, port)], port, words)
            try:
                fill(port)
                rate.append(requests_a_second(port, seconds))
                if mode == "ring":
                    saved = save(server, port, log, bench.many(65) if number == 0 else 0)
                    held(bench, base, saved, number)
            finally:
                shut_down(server, port)
    before, after = (statistics.median(rates[mode]) for mode in rates)
    print(f"requests a second: native {before:.0f}, ring {after:.0f}, ratio {after / before:.2f} (target 0.75)", flush=True)


def save(server, port, log, seconds):
    """Seconds from the signal to the word that it is saved, with the load going on; the ring is full after so many."""
    if seconds:
        requests_a_second(port, seconds)
    begun = time.monotonic()
    server.send_signal(signal.SIGUSR2)
    while time.monotonic() < begun + 60:
        with open(log) as f:
            if "saved: " in (text := f.read()):
                return time.monotonic() - begun, re.search(r"saved: (.*)", text)[1]
        time.sleep(0.005)
    raise RuntimeError("nothing was saved: " + open(log).read())


def held(bench, base, saved, number):
    info = subprocess.run([bench.tmrec, "info", "--json", os.path.join(base, "latest")], capture_output=True, text=True, check=True).stdout
    longest = int(re.search(r'"longest_start_ms":(\d+)', info.replace(" ", ""))[1])
    size = sum(entry.stat().st_size for entry in os.scandir(os.path.join(base, "redis-server-1")) if entry.is_file())
    log = sum(entry.stat().st_size for entry in os.scandir(os.path.join(base, "redis-server-1", "log")))
    print(f"round {number + 1}: {saved[1]}, {saved[0] * 1e3:.0f} ms after the signal (target 2000); held {size / 1e6:.0f} MB of snapshots, "
          f"{log / 1e6:.0f} MB of log; stood still up to {longest} ms", flush=True)


def attaching(bench):
    print(f"\n{'latency, ms':30}{'before p99':>11}{'attach p99':>11}{'longest':>9}{'let go p99':>11}{'longest':>9}   targets +50, +20", flush=True)
    port = free_port()
    redis = served(redis_argv(bench, port), port)
    try:
        fill(port)
        latency_lines(bench, f"redis, {IN_USE_MB} MB", redis.pid, port, b"GET key:1\r\n")
    finally:
        shut_down(redis, port)
    port = free_port()
    pool = served([sys.executable, "-c", POOL, str(port)], port)
    try:
        latency_lines(bench, "python3, 20 threads", pool.pid, port, b"a question")
    finally:
        pool.kill()
        pool.wait()


def latency_lines(bench, name, pid, port, question):
    clients = Clients(port, question, 8)
    figures = []
    try:
        for number in range(bench.rounds):
            time.sleep(2)
            begun = time.monotonic()
            before = clients.latencies(begun - 1.5, begun)
            trace = os.path.join(bench.scratch, f"attached-{name[:3]}-{number}")
            tmrec = subprocess.Popen([bench.tmrec, "record", "-p", str(pid), "-o", trace], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True)
            while "attached; " not in (word := tmrec.stderr.readline()):
                if not word:
                    raise RuntimeError("nothing was recorded")
            attached = time.monotonic()
            time.sleep(1)
            told = time.monotonic()
            tmrec.send_signal(signal.SIGINT)
            time.sleep(1)
            attach, leave = clients.latencies(begun, attached), clients.latencies(told, told + 1)
            tmrec.communicate(timeout=120)
            figures.append((p99(before), p99(attach), attach[-1], p99(leave), leave[-1]))
            subprocess.run(["rm", "-rf", trace], check=True)
    finally:
        clients.stop()
    medians = [statistics.median(each) for each in zip(*figures)]
    print(f"{name:30}{medians[0]:11.2f}{medians[1]:11.2f}{medians[2]:9.1f}{medians[3]:11.2f}{medians[4]:9.1f}", flush=True)


def packing(bench):
    print("\npacking (pack.py)", flush=True)
    script = os.path.join(os.path.dirname(os.path.realpath(__file__)), "pack.py")
    done = subprocess.run([sys.executable, script, str(bench.many(600)), str(bench.rounds)], env=dict(os.environ, TMREC=bench.tmrec), capture_output=True,
                          text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])
    print(done.stdout, end="", flush=True)


def run(build, scratch, rounds, scale):
    """Whether anything failed."""
    return run_sections(Bench(build, scratch, rounds, scale), (ring, attaching, packing))
