"""kill -9 of the supervisor or of the front process at random moments: the program goes on, and what was recorded replays."""

import os
import random
import signal
import subprocess
import time

from recording import TMREC, file, scratch

SEED = int(os.environ.get("TMREC_TEST_SEED", time.time_ns() % 1_000_000))
random.seed(SEED)
KILLS = 4  # of each program's supervisor
GUESTS = os.path.join(os.path.dirname(TMREC), "..", "tests", "guests")
PYTHON = file("busy.py", """
import os, subprocess, sys, threading, time
print("started", flush=True)
def work(n):
    with open(f"{sys.argv[1]}-{n}", "w") as f:
        for i in range(3000): f.write(f"{n} {i}\\n"); os.stat("/")
threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for t in threads: t.start()
for t in threads: t.join()
time.sleep(1)
for n in range(3): print(len(open(f"{sys.argv[1]}-{n}").read()), subprocess.run(["echo", "child", str(n)], capture_output=True).stdout, flush=True)
sys.exit(7)
""")
# No program is started for a second after the supervisor may be killed: its dynamic loader could still die (docs/limits.md).
FIFO = os.path.join(scratch, "nobody-writes")
os.mkfifo(FIFO)
BASH = f"""echo started; for i in {{1..150}}; do echo "$i $(echo $((i * i)))"; done
exec 3<>{FIFO}; read -t 1 -u 3; echo a b | tr a-b c-d; (exit 3) || exit 4"""


def programs():
    yield ["bash", "-c", BASH], 0.2
    yield ["/usr/bin/python3", PYTHON, os.path.join(scratch, "work")], 0.2
    for guest in ("proc_fork.static", "proc_fork_threads.static", "proc_pipeline.musl", "thread_cond.static", "thread_burst.static",
                  "net_tcp_threads.static", "file_read_write.static"):
        if os.path.exists(os.path.join(GUESTS, guest)):
            yield [os.path.join(GUESTS, guest)], 0.06


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(child) for child in f.read().split()]


def supervisor_of(front):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and front.poll() is None:
        for child in children(front.pid):
            try:
                # The program's process is still tmrec's until its execve, but leads no group.
                if os.path.samefile(f"/proc/{child}/exe", TMREC) and os.getpgid(child) == child:
                    return child
            except OSError:
                continue
    return None


def lives(pid):
    """Whether it still works: what became an orphan may stay a zombie for as long as the test runs."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def fail(what, argv, done, err):
    raise SystemExit(f"seed {SEED}: {' '.join(argv)[:100]}: {what}\n  {done!r}\n  {err[-1500:]!r}")


def check_replay(argv, trace, whole):
    if not os.path.exists(os.path.join(trace, "manifest.json")):
        return
    done = subprocess.run([TMREC, "replay", "--verify", trace], capture_output=True, timeout=120)
    if done.returncode != 0:
        fail(f"the replay of what was recorded ended with {done.returncode}", argv, done.stdout, done.stderr)
    done = subprocess.run([TMREC, "replay", "-a", trace], capture_output=True, timeout=120)
    if not whole.startswith(done.stdout):
        fail("the replay printed something else", argv, done.stdout, done.stderr)


def once(number, argv, longest, who):
    native = subprocess.run(argv, capture_output=True, timeout=60, cwd=scratch)
    trace = os.path.join(scratch, f"trace-{number}")
    out = open(f"{trace}.out", "w+b")
    front = subprocess.Popen([TMREC, "record", "-q", "-o", trace, "--check=50", "--", *argv], stdin=subprocess.DEVNULL, stdout=out,
                             stderr=subprocess.PIPE, cwd=scratch)
    supervisor = supervisor_of(front)
    static = "." in os.path.basename(argv[0])
    while supervisor and front.poll() is None:
        if os.path.exists(os.path.join(trace, "log")) if static else os.path.getsize(out.name) > 0:
            break
        time.sleep(0.001)
    time.sleep(random.uniform(0, longest))
    if supervisor:
        kill(supervisor if who == "supervisor" else front.pid)
    err = front.communicate(timeout=60)[1]
    if who == "front":  # its status is lost, the recording is not
        deadline = time.monotonic() + 60
        while supervisor and lives(supervisor) and time.monotonic() < deadline:
            time.sleep(0.01)
    elif front.returncode != native.returncode:
        fail(f"exit status {front.returncode}, natively {native.returncode}", argv, native.stdout, err)
    out.seek(0)
    printed = out.read()
    guest = native.stdout.endswith(b"EXIT-SUCCESS\n")  # others of its lines may hold process ids
    if not printed.endswith(b"EXIT-SUCCESS\n") if guest else printed != native.stdout:
        fail(f"printed {printed[-300:]!r} after the death of the {who}", argv, native.stdout[-300:], err)
    check_replay(argv, trace, printed)


number = 0
for argv, longest in programs():
    for who in ["supervisor"] * KILLS + ["front"]:
        once(number, argv, longest, who)
        number += 1
print(f"{number} kills, seed {SEED}")
