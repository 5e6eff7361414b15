"""What the tests of attaching to running programs share."""

import os
import re
import signal
import subprocess
import sys

from recording import TMREC, scratch

_numbers = iter(range(100000))


def threads_of(pid):
    return [int(name) for name in os.listdir(f"/proc/{pid}/task")]


def state_of(pid):
    """What a recording changes of a process and gives back: CPUs, special mappings, a tracer, caught signals."""
    with open(f"/proc/{pid}/status") as f:
        status = f.read()
    found = {name: re.search(rf"^{name}:\s*(.*)$", status, re.M).group(1) for name in ("TracerPid", "Cpus_allowed", "Seccomp")}
    with open(f"/proc/{pid}/maps") as f:
        found["agent"] = any(line.startswith("5501") for line in f)
    return found


class Attachment:
    """One recording of a program that runs already."""

    def __init__(self, pid, options=(), check=500, before=None):
        self.pid = pid
        self.trace = os.path.join(scratch, f"attached-{next(_numbers)}")
        self.process = subprocess.Popen([TMREC, "record", "-q", "-o", self.trace, f"--check={check}", *options, "-p", str(pid)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=before)
        self.out = b""

    def finish(self, seconds=60, status=0):
        try:
            self.out, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            sys.exit(f"attaching to {self.pid} did not end within {seconds} s")
        if self.process.returncode != status:
            sys.exit(f"attaching to {self.pid}: status {self.process.returncode}: {self.out.decode(errors='replace')[-1000:]}")
        return self

    def replay(self, seconds=250):
        try:
            done = subprocess.run([TMREC, "replay", "-a", self.trace], stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=seconds)
        except subprocess.TimeoutExpired:
            sys.exit(f"the replay of {self.trace} did not end within {seconds} s")
        if done.returncode or b"desync" in done.stderr:
            kept = os.environ.get("TMREC_KEEP")
            if kept:
                subprocess.run(["cp", "-r", self.trace, os.path.join(scratch, "blobs"), kept])
            sys.exit(f"replaying {self.trace}: status {done.returncode}: {done.stderr.decode(errors='replace')[-2500:]}"
                     f"recorded with: {self.out.decode(errors='replace')[-1000:]}")
        subprocess.run(["rm", "-rf", self.trace])
        return self

    def replay_part(self, seconds=250):
        """Of what a recording left that did not end well: as far as it goes, or one line that says why not."""
        if os.path.exists(os.path.join(self.trace, "manifest.json")):
            done = subprocess.run([TMREC, "replay", "-a", self.trace], stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
            said = done.stderr.decode(errors="replace")
            if "desync" in said or done.returncode not in (0, 2) or (done.returncode == 2 and said.count("\n") != 1):
                sys.exit(f"replaying {self.trace}: status {done.returncode}: {said[-2500:]}")
        subprocess.run(["rm", "-rf", self.trace])
        return self

    def notes(self):
        return subprocess.run([TMREC, "info", self.trace], capture_output=True, text=True).stdout[-4000:]

    def supervisor(self):
        """The process that traces the program; 0: none does."""
        with open(f"/proc/{self.pid}/status") as f:
            return int(re.search(r"^TracerPid:\s*(\d+)$", f.read(), re.M).group(1))
