"""What the tests of the flight recorder share."""

import json
import os
import subprocess
import sys

from recording import TMREC, scratch


def traces(base):
    """Directories of the traces there, the oldest first."""
    found = [os.path.join(base, name) for name in os.listdir(base) if name.rpartition("-")[2].isdigit() and not name.startswith(".")]
    return sorted(found, key=lambda trace: int(trace.rpartition("-")[2]))


def start(base, options, argv, **more):
    """A running `tmrec record --ring`; its words are in BASE.err, the program's in BASE.out."""
    os.mkdir(base)
    out, err = open(base + ".out", "wb"), open(base + ".err", "wb")
    return subprocess.Popen([TMREC, "record", "-o", base, *options, "--", *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                            cwd=scratch, **more)


def words(base):
    with open(base + ".err", errors="replace") as f:
        return f.read()


def manifest(trace):
    with open(os.path.join(trace, "manifest.json")) as f:
        return json.load(f)["tmrec_trace"]


def segments(trace):
    return sorted(os.listdir(os.path.join(trace, "log")))


def replay(trace, status, seconds=200):
    done = subprocess.run([TMREC, "replay", "-a", trace], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
    if done.returncode != status or "desync" in done.stderr:
        sys.exit(f"the replay of {trace} ended with {done.returncode}, not {status}: {done.stderr[-2500:]}")
    return done
