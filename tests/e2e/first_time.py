"""A program that is recorded for the first time: tmrec says once what it waits for, and never again."""

import os
import subprocess
import sys
import time

from cli_support import TMREC, check, scratch

WORDS = "for recording, the first time only"
SKIPPED = 77
LARGE = 20 << 20  # bytes of a module: planning takes over a second


def skip(reason):
    print(reason)
    sys.exit(SKIPPED)


def large_program():
    """A program that is large itself, and ends at once when asked for its version."""
    candidates = ["/usr/bin/node", "/usr/bin/nodejs"]
    try:
        candidates.append(subprocess.run(["gcc", "-print-prog-name=cc1plus"], capture_output=True, text=True).stdout.strip())
    except OSError:
        pass
    for path in candidates:
        if os.path.isfile(path) and os.path.getsize(path) >= LARGE:
            return path
    skip("no program of 20 MB is installed (node, or gcc's cc1plus)")


program = large_program()


def record(number, cache, *options):
    environment = dict(os.environ, TMREC_CACHE_DIR=os.path.join(scratch, cache))
    trace = os.path.join(scratch, f"first-{number}")
    begin = time.monotonic()
    done = subprocess.run([TMREC, "record", *options, "-o", trace, "--", program, "--version"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=180, env=environment)
    check(done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-500:]}")
    check(done.stdout, "the program said nothing")
    return time.monotonic() - begin, [line for line in done.stderr.splitlines() if WORDS in line]


first, said = record(1, "cache")
again, silent = record(2, "cache")
check(not silent, f"said again: {silent}")
if first < again + 1.5:
    skip(f"this machine prepares {program} in {first - again:.1f} s, which is not worth a word")
check(said == [f"tmrec: preparing {os.path.basename(program)} {WORDS}"], f"said {said}")
_, quiet = record(3, "another-cache", "-q")
check(not quiet, f"said in spite of -q: {quiet}")
