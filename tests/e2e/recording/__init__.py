"""What the tests of real programs share: record a program, check that it did its work, replay it twice, compare.

A test is a script; it ends with 0 when it passed, 77 with a last line that says why when it can't run here. Run one by
hand with TMREC=build/cli/tmrec python3 tests/e2e/NAME.py.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TMREC = os.environ.get("TMREC") or os.path.realpath(os.path.join(os.path.dirname(__file__), "../../../build/cli/tmrec"))
SKIPPED = 77

scratch = tempfile.mkdtemp(prefix="tmrec-e2e-")
os.chmod(scratch, 0o755)
atexit.register(shutil.rmtree, scratch, ignore_errors=True)
_numbers = iter(range(1000))


def skip(reason):
    print(reason)
    sys.exit(SKIPPED)


def need(*programs):
    """Their paths; skips the test when one is not installed."""
    found = [p if os.path.isabs(p) and os.access(p, os.X_OK) else shutil.which(p) for p in programs]
    for program, path in zip(programs, found):
        if not path:
            skip(f"{program} is not installed")
    return found if len(found) > 1 else found[0]


def file(name, content="", mode=0o644):
    path = os.path.join(scratch, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content.encode() if isinstance(content, str) else content)
    os.chmod(path, mode)
    return path


def free_port():
    """A TCP port of the loopback interface that nobody uses now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def await_port(port, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nobody listens on port {port} after {seconds} s")


def wait_until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"after {seconds} s: {what}")
        time.sleep(0.01)


def own_words(text):
    return [line for line in text.splitlines() if line.startswith(b"tmrec: ")]


def without_own_words(text):
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"tmrec: "))


class Recording:
    """One recorded run; trace, status, out and err are there once it ended."""

    def __init__(self, argv, options=(), cwd=None, environment=None, stdin=subprocess.DEVNULL):
        self.argv = argv
        self.trace = os.path.join(scratch, f"trace-{next(_numbers)}")
        self._out, self._err = (open(f"{self.trace}.{kind}", "w+b") for kind in ("out", "err"))
        self.process = subprocess.Popen(
            [TMREC, "record", "-q", "-o", self.trace, "--check=1000", *options, "--", *argv], stdin=stdin, stdout=self._out,
            stderr=self._err, cwd=cwd or scratch, env=dict(os.environ, **(environment or {})))
        self.status = self.out = self.err = None

    def fail(self, what):
        for title, text in (("stdout", self.out), ("stderr", self.err)):
            for line in (text or b"").decode(errors="replace").splitlines()[-15:]:
                print(f"  {title}: {line[:300]}")
        sys.exit(f"{' '.join(self.argv)[:200]}: {what}")

    def program(self):
        """The pid of the recorded program, found as the supervisor's child."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for entry in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{entry}/stat") as f:
                        if int(f.read().rpartition(")")[2].split()[1]) == self.process.pid:
                            return int(entry)
                except OSError:
                    continue
            time.sleep(0.02)
        self.fail("the supervisor has no child")

    def finish(self, seconds=120, status=0):
        """Waits for the end and checks the exit status."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for f in (self._out, self._err):
            f.seek(0)
        self.out, self.err = self._out.read(), self._err.read()
        self._out.close()
        self._err.close()
        self.status = self.process.returncode
        if self.status == -signal.SIGKILL:
            self.fail(f"did not end within {seconds} s")
        if self.status != status:
            self.fail(f"exit status {self.status}, expected {status}")
        return self

    def check(self, condition, what):
        if not condition:
            self.fail(what)
        return self

    def replay(self, seconds=180, times=2, may_end_early=False, **options):
        """Replays and compares. An early end is allowed only where the recording said that it would end."""
        ended_early = may_end_early and bool(own_words(self.err))
        for attempt in range(times):
            try:
                done = subprocess.run([TMREC, "replay", "-a", self.trace], stdin=subprocess.DEVNULL, capture_output=True,
                                      timeout=seconds, **options)
            except subprocess.TimeoutExpired:
                self.fail(f"replay {attempt + 1} did not end within {seconds} s")
            if b"tmrec: desync" in done.stderr:
                self.fail(f"replay {attempt + 1}: " + done.stderr.decode(errors="replace")[-2500:])
            if ended_early:
                self.check(self.out.startswith(done.stdout), f"replay {attempt + 1} printed something else")
                continue
            self.check(done.stdout == self.out, f"replay {attempt + 1} printed something else: {done.stdout[-500:]!r}")
            self.check(without_own_words(done.stderr) == without_own_words(self.err),
                       f"replay {attempt + 1} has another standard error: {done.stderr[-500:]!r}")
            self.check(done.returncode == self.status, f"replay {attempt + 1} ended with {done.returncode}")
        return self


def record_and_replay(argv, contains=(), status=0, seconds=120, **arguments):
    """Records argv to its end; its output must contain all the texts; two replays must repeat it."""
    recording = Recording(argv, **arguments).finish(seconds, status)
    for text in contains:
        recording.check(text.encode() in recording.out, f"printed no {text!r}")
    return recording.replay()
