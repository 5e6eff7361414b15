"""What counting ticks costs: tests/bench/run --ticks.

User time: of the program alone, as a recorded wrapper is told by the kernel (user_time.c); the supervisor is not in it.
Patching: the time between a patch in the log and the event before it, summed over a program's modules: what its start
waits for. Memory: pages of text that patching made private, and the trampolines, against the text that the same program
touches unrecorded.
"""

import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import time

TARGET_MEAN, TARGET_EACH, TARGET_TIGHT, TARGET_MEMORY, TARGET_START_MS = 1.20, 1.45, 1.5, 1.5, 5

PYTHON = "n = {}\nfor i in range(%d):\n  k = str(i * 7919 %% 5003)\n  n[k] = n.get(k, 0) + len(k)\nprint(sum(n.values()))"
PERL = "for (1 .. %d) { $n{$_ * 7919 %% 5003} += length $_; } print scalar keys %%n;"
BASH = "for ((i = 0; i < %d; i++)); do ((n = (n * 31 + i) %% 65537)); a[n %% 100]=$i; done; echo $n"
SQL = """create table t(id integer primary key, a text, b integer);
with recursive n(i) as (select 1 union all select i + 1 from n where i < %d) insert into t select i, 'row ' || i, i * 7919 %% 10007 from n;
create index tb on t(b); select count(*), sum(b), max(a) from t where b %% 5 = 0;"""
SOURCE = "#include <algorithm>\n#include <functional>\n#include <iostream>\n#include <map>\n#include <regex>\n#include <string>\n" \
         "int main() { std::map<std::string, int> n; std::string w; while (std::cin >> w) n[w]++; " \
         "for (auto& [k, v] : n) if (std::regex_match(k, std::regex(\"[a-z]+\"))) std::cout << k << v; }\n"
SERVER_SCRIPTS = {
    "python3": "import json, re, ssl, sqlite3, time; json.loads(json.dumps(list(range(9999)))); print(re.sub('a+', 'b', 'aab'));",
    "node": "const zlib = require('zlib'); JSON.parse(JSON.stringify([...Array(9999).keys()])); zlib.gzipSync('a'.repeat(99999));",
}


class Bench:
    """Where things are, and how much of them."""

    def __init__(self, build, scratch, rounds, scale):
        self.tmrec = os.path.join(build, "cli", "tmrec")
        self.tools = os.path.join(build, "tests", "bench")
        self.scratch, self.rounds, self.scale = scratch, rounds, scale
        self.trace = os.path.join(scratch, "trace")
        self.cache = os.path.join(scratch, "plans")

    def many(self, count):
        return max(1, round(count * self.scale))

    def record(self, argv, *options):
        """argv's words behind those of a recording into a new trace."""
        shutil.rmtree(self.trace, ignore_errors=True)
        return [self.tmrec, "record", "-q", "-o", self.trace, "--check=0", *options, "--", *argv]

    def environment(self):
        return dict(os.environ, TMREC_CACHE_DIR=self.cache)

    def run(self, argv):
        done = subprocess.run(argv, cwd=self.scratch, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, env=self.environment())
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)[:200]}: exit status {done.returncode}\n{done.stderr[-1000:]}")


def user_seconds(bench, argv, recorded):
    figures = os.path.join(bench.scratch, "user-time")
    command = [os.path.join(bench.tools, "user_time"), figures, *argv]
    bench.run(bench.record(command) if recorded else command)
    with open(figures) as f:
        return float(f.read().split()[0])


def ratio_line(bench, name, argv, target):
    """Prints recorded : native; gives it."""
    native, recorded = [], []
    user_seconds(bench, argv, True)  # plans are in the cache, files in memory
    for _ in range(bench.rounds):
        native.append(user_seconds(bench, argv, False))
        recorded.append(user_seconds(bench, argv, True))
    before, after = statistics.median(native), statistics.median(recorded)
    ratio = after / max(before, 1e-3)
    spread = f"{min(recorded) / max(before, 1e-3):.2f}-{max(recorded) / max(before, 1e-3):.2f}"
    print(f"{name:24}{before:10.3f}{after:10.3f}{ratio:8.2f}{spread:>12}{target:10.2f}", flush=True)
    return ratio


def data_file(bench):
    path = os.path.join(bench.scratch, "text")
    with open(path, "wb") as f:
        for i in range(bench.many(400000)):
            f.write(b"%d: line %d of text, word %d\n" % (i * 31 % 65537, i * 7919 % 30011, i * i % 997))
    return path


def computing_programs(bench):
    data = data_file(bench)
    source, preprocessed = (os.path.join(bench.scratch, f"source.{end}") for end in ("cc", "ii"))
    with open(source, "w") as f:
        f.write(SOURCE)
    subprocess.run(["g++", "-std=c++17", "-E", "-o", preprocessed, source], check=True)
    compiler = subprocess.run(["g++", "-print-prog-name=cc1plus"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    many = bench.many
    yield "sqlite3 in memory", ["sqlite3", ":memory:", SQL % many(900000)]
    yield "python3 loop", ["/usr/bin/python3", "-c", PYTHON % many(4000000)]
    yield "perl", ["perl", "-e", PERL % many(6000000)]
    yield "bash loop", ["bash", "-c", BASH % many(400000)]
    yield "zstd -1", ["zstd", "-q", "-1", "--single-thread", "-c", *[data] * 20]
    yield "xz", ["xz", "-T1", "-c", data]
    yield "cc1plus -O1", [compiler, "-quiet", "-O1", "-std=c++17", "-fpreprocessed", preprocessed, "-o", "/dev/null"]
    yield "openssl sha256", ["openssl", "dgst", "-sha256", *[data] * 120]


def user_time(bench):
    print(f"\n{'user time of the program':24}{'native s':>10}{'recorded':>10}{'ratio':>8}{'range':>12}{'target':>10}")
    ratios = []
    for name, argv in computing_programs(bench):
        if shutil.which(argv[0]):
            ratios.append(ratio_line(bench, name, argv, TARGET_EACH))
        else:
            print(f"{name}: {argv[0]} is not installed")
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    print(f"{'geometric mean':44}{mean:8.2f}{'':12}{TARGET_MEAN:10.2f}", flush=True)
    for name in ("count_down", "count_up", "sum", "chase"):
        argv = [os.path.join(bench.tools, "tight"), name, str(bench.many(2000))]
        ratio_line(bench, f"tight loop: {name}", argv, TARGET_TIGHT)


def patches(bench):
    """Milliseconds that the recorded program waited for each of its modules, and where the trampolines are."""
    dump = subprocess.run([bench.tmrec, "dump", "--json", bench.trace], stdout=subprocess.PIPE, text=True, check=True)
    waited, blocks, before = [], [], 0
    for line in dump.stdout.splitlines():
        event = json.loads(line)
        if event["kind"] == "patch" and (match := re.search(r"trampolines at (0x[0-9a-f]+)", event["text"])):
            waited.append((event["time_ns"] - before) / 1e6)
            blocks.append(int(match.group(1), 16))
        before = event["time_ns"]
    return waited, blocks


def start_up(bench):
    """First start with an empty cache, then starts with a full one, with and without ticks."""
    print(f"\n{'start-up: ms':24}{'modules':>10}{'patching':>10}{'again':>10}{'target':>10}{'wall':>10}{'--no-ticks':>12}")
    programs = (("python3", ["/usr/bin/python3", "-c", "pass"]), ("node", ["node", "-e", "0"]), ("bash", ["bash", "-c", ":"]),
                ("redis-server", ["redis-server", "--version"]))
    for name, argv in programs:
        if not shutil.which(argv[0]):
            continue
        shutil.rmtree(bench.cache, ignore_errors=True)
        bench.run(bench.record(argv))
        first = sum(patches(bench)[0])
        again, with_ticks, without = [], [], []
        for _ in range(bench.rounds):
            for times, options in ((with_ticks, ()), (without, ("--no-ticks",))):
                command, start = bench.record(argv, *options), time.monotonic()
                bench.run(command)
                times.append((time.monotonic() - start) * 1000)
                if not options:
                    waited = patches(bench)[0]
                    again.append(sum(waited))
        print(f"{name:24}{len(waited):10}{first:10.1f}{statistics.median(again):10.2f}{TARGET_START_MS:10}"
              f"{statistics.median(with_ticks):10.1f}{statistics.median(without):12.1f}", flush=True)


def mappings(pid):
    """Of /proc/PID/smaps: (start, permissions, path, figures in bytes by name)."""
    found = []
    with open(f"/proc/{pid}/smaps") as f:
        for line in f:
            if match := re.match(r"([0-9a-f]+)-[0-9a-f]+ (\S{4}) \S+ \S+ \d+\s*(.*)", line):
                found.append((int(match.group(1), 16), match.group(2), match.group(3), {}))
            elif (match := re.match(r"(\w+):\s+(\d+) kB", line)) and found:
                found[-1][3][match.group(1)] = int(match.group(2)) * 1024
    return found


def descendant(pid, name):
    """The process of that name below this one, once it is there; None when the process has ended."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        waiting = [pid]
        while waiting:
            at = waiting.pop()
            try:
                with open(f"/proc/{at}/comm") as f:
                    if f.read().strip().startswith(name[:15]):
                        return at
                with open(f"/proc/{at}/task/{at}/children") as f:
                    waiting += map(int, f.read().split())
            except OSError:
                pass
        time.sleep(0.02)
    return None


def look_at(bench, argv, name, ready):
    """Runs argv until the file exists, then gives its mappings and ends it."""
    if os.path.exists(ready):
        os.unlink(ready)
    child = subprocess.Popen(argv, cwd=bench.scratch, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env=bench.environment())
    pid = None
    try:
        deadline = time.monotonic() + 120
        while not os.path.exists(ready):
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not get ready")
            time.sleep(0.05)
        pid = descendant(child.pid, name)
        return mappings(pid)
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
        else:
            child.terminate()
        child.wait()


def services(bench):
    ready = os.path.join(bench.scratch, "ready")
    for name, script in SERVER_SCRIPTS.items():
        end = f"open('{ready}', 'w'); time.sleep(300)" if name == "python3" else f"require('fs').writeFileSync('{ready}', ''); setTimeout(() => 0, 300000)"
        yield name, [shutil.which(f"/usr/bin/{name}") or name, "-c" if name == "python3" else "-e", script + end], ready
    # Redis creates its pid file when it has been initialised.
    yield "redis-server", ["redis-server", "--port", "0", "--unixsocket", os.path.join(bench.scratch, "redis.socket"), "--save", "",
                           "--daemonize", "no", "--pidfile", ready], ready


def memory(bench):
    print(f"\n{'private memory: MiB':24}{'touched':>10}{'text':>10}{'trampol.':>10}{'ratio':>8}{'target':>8}")
    for name, argv, ready in services(bench):
        if not shutil.which(argv[0]):
            continue
        native = look_at(bench, argv, name, ready)
        touched = sum(m[3]["Referenced"] for m in native if "x" in m[1] and m[2].startswith("/"))
        recorded = look_at(bench, bench.record(argv), name, ready)
        blocks = set(patches(bench)[1])
        text = sum(m[3]["Anonymous"] for m in recorded if "x" in m[1] and m[2].startswith("/"))
        trampolines = sum(m[3]["Anonymous"] for m in recorded if m[0] in blocks)
        mib = 2**20
        print(f"{name:24}{touched / mib:10.1f}{text / mib:10.1f}{trampolines / mib:10.1f}{(text + trampolines) / max(touched, 1):8.2f}"
              f"{TARGET_MEMORY:8}", flush=True)


def run_sections(bench, sections):
    """Prints all tables. Gives whether one failed."""
    failed = False
    for section in sections:
        try:
            section(bench)
        except (RuntimeError, subprocess.SubprocessError) as error:
            failed = True
            print(f"{section.__name__}: {error}", flush=True)
    return failed


def run(build, scratch, rounds, scale):
    return run_sections(Bench(build, scratch, rounds, scale), (user_time, start_up, memory))
