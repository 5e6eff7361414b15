"""record --chaos brings out races that plain recording practically never shows, and a recording of one replays."""

import os
import subprocess
import sys

from recording import TMREC, scratch, skip

GUESTS = os.path.join(os.path.dirname(TMREC), "..", "tests", "guests", "chaos")
PLAIN_RUNS, CHAOS_RUNS = 10, 200


def record(program, trace, *options):
    done = subprocess.run([TMREC, "record", "-q", "-o", trace, *options, "--", program], capture_output=True, timeout=60)
    if done.returncode not in (0, 1):
        sys.exit(f"{program} {options}: status {done.returncode}\n{done.stdout!r}\n{done.stderr!r}")
    return done


def expect_same_replay(trace, recorded):
    done = subprocess.run([TMREC, "replay", "-a", trace], capture_output=True, timeout=60)
    if (done.returncode, done.stdout) != (recorded.returncode, recorded.stdout):
        sys.exit(f"{trace}: replayed with {done.returncode}, recorded {recorded.returncode}\n{done.stderr!r}")


def find(name):
    program = os.path.join(GUESTS, name)
    if not os.path.exists(program):
        skip(f"{program} is not built")
    for run in range(PLAIN_RUNS):
        if record(program, os.path.join(scratch, f"{name}-plain-{run}")).returncode != 0:
            sys.exit(f"{name}: shows its bug without --chaos: a poor example")
    for seed in range(1, CHAOS_RUNS + 1):
        trace = os.path.join(scratch, f"{name}-{seed}")
        done = record(program, trace, "--chaos", f"--seed={seed}")
        if done.returncode == 1 or seed == 1:
            expect_same_replay(trace, done)
        if done.returncode == 1:
            return seed
    sys.exit(f"{name}: not found in {CHAOS_RUNS} runs with --chaos")


print({name: find(name) for name in ("lost_update", "order_violation")})
