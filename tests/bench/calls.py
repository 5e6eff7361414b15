"""What recording costs programs that live in the kernel: tests/bench/run --calls.

Single calls: nanoseconds of one, as the program measures them, the supervisor's share included since both use one CPU.
Servers: requests a second that an unrecorded client gets, and bytes of trace for one. Passing a mutex is compared with
the same program on one CPU, since a recording uses one.
"""

import glob
import os
import pwd
import re
import shutil
import signal
import socket
import statistics
import subprocess
import time

from ticks import Bench, run_sections

CALIBRATED_CLOCK_NS = 150
KINDS = (("getppid", 2000000, 2.0, []), ("read", 2000000, 2.0, []), ("pread", 200000, 1.8, []), ("clock", 2000000, None, []),
         ("pass", 500000, 2.5, ["taskset", "-c", "0"]))
CLIENT_SECONDS = 300
NGINX = """daemon off; master_process off; pid {0}/nginx.pid; error_log {0}/nginx.log;
events {{ worker_connections 256; }}
http {{ access_log off; server {{ listen 127.0.0.1:{1}; root {0}; }} }}"""


def single_calls(bench):
    print(f"\n{'one call':24}{'native ns':>10}{'recorded':>10}{'ratio':>8}{'target':>8}")
    with open(os.path.join(bench.scratch, "calls-data"), "wb") as f:
        f.write(os.urandom(4096 * 1000))
    for name, count, target, prefix in KINDS:
        if not bench.wants(name):
            continue
        argv = [os.path.join(bench.tools, "calls"), name, str(bench.many(count))]
        native, recorded = [], []
        for _ in range(bench.rounds):
            native.append(float(output_of(bench, prefix + argv)))
            recorded.append(float(output_of(bench, bench.record(argv))))
        before, after = statistics.median(native), statistics.median(recorded)
        wanted = f"{target:8.1f}" if target else f"{CALIBRATED_CLOCK_NS:5} ns"
        print(f"{name:24}{before:10.1f}{after:10.1f}{after / before:8.2f}{wanted:>8}", flush=True)


def output_of(bench, argv):
    return subprocess.run(argv, cwd=bench.scratch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True,
                          env=bench.environment()).stdout


def programs(bench):
    yield "find /usr -type f | wc -l", ["bash", "-c", "find /usr -type f | wc -l"], 1.6
    big, copying = os.path.join(bench.scratch, "big"), f"cp of {bench.many(1024)} MiB"
    if bench.wants(copying):
        with open(big, "wb") as f:
            for _ in range(bench.many(1024)):
                f.write(os.urandom(1 << 20))
    yield copying, ["cp", "--reflink=never", big, big + "-copy"], 1.5
    yield "200-process shell loop", ["bash", "-c", "for i in {1..200}; do /bin/true; done"], 4.0


def whole_programs(bench):
    print(f"\n{'wall time':24}{'native s':>10}{'recorded':>10}{'ratio':>8}{'target':>8}{'replay : record':>17}{'trace MiB':>11}")
    for name, argv, target in programs(bench):
        if not bench.wants(name):
            continue
        native, recorded, replayed, sizes = [], [], [], []
        bench.run(bench.record(argv))
        for _ in range(bench.rounds):
            native.append(seconds(bench, argv))
            recorded.append(seconds(bench, bench.record(argv)))
            sizes.append(trace_bytes(bench))
            replayed.append(seconds(bench, [bench.tmrec, "replay", "-a", bench.trace]))
        before, after = statistics.median(native), statistics.median(recorded)
        print(f"{name:24}{before:10.3f}{after:10.3f}{after / before:8.2f}{target:8.1f}{statistics.median(replayed) / after:17.2f}"
              f"{statistics.median(sizes) / 2**20:11.1f}", flush=True)


def seconds(bench, argv):
    begun = time.monotonic()
    bench.run(argv)
    return time.monotonic() - begun


def trace_bytes(bench):
    log = os.path.join(bench.trace, "log")
    return sum(os.stat(os.path.join(log, f)).st_size for f in os.listdir(log))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def await_port(server, port):
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and server.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{server.args[0]}: nobody listens on port {port}")


def client(argv, **how):
    return subprocess.run(argv, **how, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=CLIENT_SECONDS).stdout


def redis(bench, port):
    """The command, and what gives (requests a second by kind, requests) with it running, and ends it."""

    def load():
        requests, at = bench.many(200000), ["-h", "127.0.0.1", "-p", str(port)]
        text = client(["redis-benchmark", *at, "-n", str(requests), "-c", "50", "-t", "set,get", "--csv"])
        client(["redis-cli", *at, "shutdown", "nosave"])
        rates = {kind: float(rate) for kind, rate in re.findall(r'"(SET|GET)","([\d.]+)"', text)}
        return rates, 2 * requests

    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", bench.scratch], load


def nginx(bench, port):
    config = os.path.join(bench.scratch, "nginx.conf")
    with open(config, "w") as f:
        f.write(NGINX.format(bench.scratch, port))
    with open(os.path.join(bench.scratch, "page"), "w") as f:
        f.write("x" * 1023 + "\n")

    def load():
        text = client(["wrk", "-t1", "-c32", f"-d{max(2, bench.many(10))}s", f"http://127.0.0.1:{port}/page"])
        client(["nginx", "-c", config, "-s", "quit"])
        return {"1 KiB": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])}, int(re.search(r"(\d+) requests in", text)[1])

    return ["nginx", "-c", config], load


class Cluster:
    """A PostgreSQL cluster with pgbench's tables, made once. Its server refuses to run as root, so with its recorder it is another
    user's then, as a service would be."""

    def __init__(self, bench):
        place = os.path.dirname(shutil.which("initdb") or next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")))))
        home = os.path.join(bench.scratch, "postgres")
        os.mkdir(home, 0o700)
        self.user, self.data, self.trace = [], os.path.join(home, "data"), os.path.join(home, "trace")
        self.places = {"TMREC_CACHE_DIR": os.path.join(home, "plans"), "TMREC_BLOB_DIR": os.path.join(home, "blobs")}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(home, nobody.pw_uid, nobody.pw_gid)
            os.chmod(bench.scratch, 0o711)
            self.user = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        client([*self.user, f"{place}/initdb", "-D", self.data, "-A", "trust", "-U", "tester", "--no-sync"], cwd="/")
        self.server = [f"{place}/postgres", "-D", self.data, "-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1",
                       "-c", "log_min_messages=fatal"]
        port = free_port()
        serve(bench, self.user + self.on(port), lambda: (self.pgbench(port, "-i", "-q"), self.stop()), port)

    def on(self, port):
        return [*self.server, "-c", f"port={port}"]

    def pgbench(self, port, *what):
        return client(["pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "tester", *what, "postgres"])

    def stop(self):
        """A fast shutdown."""
        with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as f:
            os.kill(int(f.readline()), signal.SIGINT)


def postgres(bench, port):
    if not bench.cluster:
        bench.cluster = Cluster(bench)
        bench.trace = bench.cluster.trace
        bench.places |= bench.cluster.places

    def load():
        text = bench.cluster.pgbench(port, "-S", "-n", "-c", "8", "-T", str(max(2, bench.many(10))))
        bench.cluster.stop()
        done = int(re.search(r"transactions actually processed: (\d+)", text)[1])
        return {"-S -c 8": float(re.search(r"tps = ([\d.]+)", text)[1])}, done

    return bench.cluster.on(port), load


def serve(bench, argv, load, port):
    server = subprocess.Popen(argv, cwd=bench.scratch, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=bench.environment())
    try:
        await_port(server, port)
        return load()
    finally:
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.terminate()
            server.wait()


def servers(bench):
    print(f"\n{'requests a second':24}{'native':>10}{'recorded':>10}{'ratio':>8}{'target':>8}{'bytes of trace':>16}")
    one_cpu = ["taskset", "-c", "0"]
    for make, needs, modes in ((redis, "redis-benchmark", {"": []}), (nginx, "wrk", {"": []}),
                               (postgres, "pgbench", {" (1 CPU)": one_cpu, " (all CPUs)": []})):
        if not bench.wants(make.__name__):
            continue
        if not shutil.which(needs):
            print(f"{make.__name__}: {needs} is not installed")
            continue
        native, recorded, sizes = {}, {}, []
        for _ in range(bench.rounds):
            for mode, prefix in modes.items():
                for kind, rate in one_load(bench, make, lambda argv, prefix=prefix: prefix + argv)[0].items():
                    native.setdefault((kind, mode), []).append(rate)
            rates, requests = one_load(bench, make, bench.record)
            for kind, rate in rates.items():
                recorded.setdefault(kind, []).append(rate)
            sizes.append(trace_bytes(bench) / requests)
        for (kind, mode), rates in native.items():
            before, after = statistics.median(rates), statistics.median(recorded[kind])
            target = TARGETS[make]
            print(f"{make.__name__ + ' ' + kind + mode:24}{before:10.0f}{after:10.0f}{after / before:8.2f}{target:8.2f}{statistics.median(sizes):16.0f}",
                  flush=True)


def one_load(bench, make, wrap):
    """Rates by kind, and requests in all."""
    port = free_port()
    argv, load = make(bench, port)
    user = bench.cluster.user if make is postgres else []
    return serve(bench, user + wrap(argv), load, port)


TARGETS = {redis: 0.8, nginx: 0.75, postgres: 0.6}


class SomeCalls(Bench):
    """With the names of what is asked for; none: all."""

    def __init__(self, *where_and_how_much, names):
        super().__init__(*where_and_how_much)
        self.names, self.cluster, self.places = names, None, {}

    def environment(self):
        return super().environment() | self.places

    def wants(self, name):
        return not self.names or any(wanted in name for wanted in self.names)


def run(build, scratch, rounds, scale, names):
    return run_sections(SomeCalls(build, scratch, rounds, scale, names=names), (single_calls, whole_programs, servers))
