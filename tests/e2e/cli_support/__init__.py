"""What the tests of the command line share: a trace directory of their own, and checks that name the command."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile

TMREC = os.environ.get("TMREC") or os.path.realpath(os.path.join(os.path.dirname(__file__), "../../../build/cli/tmrec"))
NOBODY = 65534

scratch = tempfile.mkdtemp(prefix="tmrec-cli-")
os.chmod(scratch, 0o755)
atexit.register(shutil.rmtree, scratch, ignore_errors=True)
traces = os.path.join(scratch, "traces")
# Blobs beside the traces, whatever the runner shares otherwise: these tests look at them.
environment = {k: v for k, v in os.environ.items() if k != "TMREC_BLOB_DIR"} | {"TMREC_TRACE_DIR": traces}
os.makedirs(traces)


class Ran:
    def __init__(self, arguments, done):
        self.command = "tmrec " + " ".join(arguments)
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.words = [line for line in self.err.splitlines() if line.startswith("tmrec: ")]

    def expect(self, condition, what):
        if not condition:
            sys.exit(f"{self.command}: {what}\n  status {self.status}\n  stdout: {self.out!r}\n  stderr: {self.err!r}")
        return self

    def exits(self, status):
        return self.expect(self.status == status, f"exit status {self.status}, expected {status}")

    def prints(self, text):
        return self.expect(self.out == text, f"printed something else than {text!r}")

    def says(self, *texts):
        """Exactly one line of tmrec's own, nothing else on standard error, with these texts in it."""
        self.expect(len(self.words) == 1 and len(self.err.splitlines()) == 1, "did not say exactly one line")
        for text in texts:
            self.expect(text in self.words[0], f"did not say {text!r}")
        return self

    def silent(self):
        return self.expect(self.err == "", "said something")


def executable_for(user):
    """The program under test, or a copy where the user cannot reach the build directory."""
    copy = os.path.join(scratch, "tmrec")
    if user is None or subprocess.run(["test", "-x", TMREC], user=user, group=user, extra_groups=[]).returncode == 0:
        return TMREC
    if not os.path.exists(copy):
        shutil.copy2(TMREC, copy)
    return copy


def tmrec(*arguments, user=None, seconds=60, **changes):
    """Runs tmrec; `user` is a numeric id to run as, `changes` are environment variables (None removes one)."""
    env = {k: v for k, v in (environment | changes).items() if v is not None}
    identity = {"user": user, "group": user, "extra_groups": []} if user is not None else {}
    done = subprocess.run([executable_for(user), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          timeout=seconds, env=env, cwd=scratch, **identity)
    return Ran(arguments, done)


def ordinary_user():
    """The id to run as where root could do anything: nobody's, or None when we are not root anyway."""
    return NOBODY if os.getuid() == 0 else None


def file(name, content=b"", mode=0o644):
    path = os.path.join(scratch, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content)
    os.chmod(path, mode)
    return path


def check(condition, what):
    if not condition:
        sys.exit(what)
