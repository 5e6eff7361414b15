"""Running one command of a test and making sure that nothing of it survives.

Problem: a recorded program may leave its session, outlive its supervisor or hang, and no cgroup may be created in a
container. Solution: every test has a worker process that is a child subreaper, so that whatever loses its parent
becomes the worker's own child; after each command the worker must have no child left. Rejected: killing by session or
group alone, which a daemon leaves on purpose.
"""

import ctypes
import dataclasses
import os
import resource
import shlex
import signal
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 2.0  # a daemon that has just closed its pipe may still be on its way to exit


def become_subreaper():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


@dataclasses.dataclass
class Finished:
    """A command that ended; status is the shell's: 128+N after signal N."""

    command: str
    status: int
    out: bytes
    err: bytes
    seconds: float
    timed_out: bool
    survivors: list


def children_of_this_process():
    """The living children: (pid, command line). Dead ones are reaped on the way."""
    own, found = str(os.getpid()), []
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
            if fields[1] == own and fields[0] not in "ZX":
                with open(f"/proc/{entry}/cmdline") as f:
                    found.append((int(entry), f.read().replace("\0", " ").strip()))
        except OSError:
            continue
    return found


def end_survivors():
    """Waits a moment for stray processes, then ends them by pid. Gives those that had to be ended."""
    deadline, ended = time.monotonic() + GRACE_SECONDS, []
    while children := children_of_this_process():
        if time.monotonic() < deadline:
            time.sleep(0.01)
            continue
        for pid, command in children:
            if len(ended) < 200:
                ended.append(f"{pid} {command}")
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)
    return ended


def no_core_files():
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def run(argv, directory, environment, seconds, stdin=None, output_to=None):
    """Runs argv in a new session, with its output in files below output_to, never longer than the given seconds."""
    out_path, err_path = os.path.join(output_to, "stdout"), os.path.join(output_to, "stderr")
    start = time.monotonic()
    timed_out = False
    with open(out_path, "wb") as out, open(err_path, "wb") as err, open(stdin or os.devnull, "rb") as standard_input:
        child = subprocess.Popen(argv, cwd=directory, env=environment, stdin=standard_input, stdout=out, stderr=err,
                                 start_new_session=True, preexec_fn=no_core_files)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            timed_out = True
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    elapsed = time.monotonic() - start
    survivors = end_survivors()
    status = child.returncode if child.returncode >= 0 else 128 - child.returncode
    with open(out_path, "rb") as out, open(err_path, "rb") as err:
        return Finished(shlex.join(argv), status, out.read(), err.read(), elapsed, timed_out, survivors)
