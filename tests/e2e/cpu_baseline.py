"""A program that is shown a lesser CPU: what it, libc's loader and what it executes see; and what the trace then needs."""

import json
import os
import subprocess
import sys

from recording import TMREC, scratch

GUEST = os.path.join(os.path.dirname(TMREC), "..", "tests", "guests", "cpu_baseline")
LOADER = "/lib64/ld-linux-x86-64.so.2"


def fail(what, done):
    sys.exit(f"{what}: status {done.returncode}: {done.stdout} {done.stderr}")


def record(baseline, *argv):
    trace = os.path.join(scratch, f"{baseline}-{os.path.basename(argv[-2 if len(argv) > 1 else -1])}")
    done = subprocess.run([TMREC, "record", "-q", "-o", trace, f"--cpu-baseline={baseline}", "--", *argv], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=100)
    again = subprocess.run([TMREC, "replay", "-a", trace], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
    if done.returncode or again.returncode or again.stdout != done.stdout:
        fail(f"{baseline} {argv}", again if done.returncode == 0 else done)
    return trace, done.stdout


def needs(trace):
    return json.loads(subprocess.run([TMREC, "info", "--json", trace], capture_output=True, text=True, check=True).stdout)["needs"]


for argv in ([GUEST], ["/bin/sh", "-c", f"'{GUEST}'; true"]):
    trace, out = record("x86-64-v2", *argv)
    for line in ("sse4_2 1 popcnt 1 avx 0 osxsave 0 aes 0", "avx2 0 avx512f 0 rtm 0 bmi2 0", "fsgsbase 0"):
        if line not in out.splitlines():
            sys.exit(f"x86-64-v2: no line {line!r} in {out}")
    if (found := needs(trace))["level"] != "x86-64-v2" or found["beyond"] or found["xcr0"] > 3:
        sys.exit(f"x86-64-v2 needs {found}")
with open("/proc/cpuinfo") as f:
    here = next(line for line in f if line.startswith("flags")).split()
if "avx2" in here and "movbe" in here and "abm" in here:
    trace, out = record("x86-64-v3", GUEST)
    for line in ("avx2 1 avx512f 0 rtm 0 bmi2 1", "xcr0 7", "area 832"):
        if line not in out.splitlines():
            sys.exit(f"x86-64-v3: no line {line!r} in {out}")
    if (found := needs(trace))["level"] != "x86-64-v3" or found["beyond"]:
        sys.exit(f"x86-64-v3 needs {found}")
trace, out = record("native", GUEST)
if "rtm 0" not in out:
    sys.exit(f"native: {out}")
# What the dynamic loader would look for.
if os.path.exists(LOADER):
    trace, out = record("x86-64-v2", LOADER, "--help")
    if "x86-64-v2 (supported" not in out or "x86-64-v3 (supported" in out:
        sys.exit(f"the loader finds {out[-600:]}")
for options, word in ((["--cpu-baseline", "z80"], "x86-64-v3"), (["--cpu-baseline", "zen2", "--on-signal", "USR2"], "has chosen already"),
                      (["--cpu-baseline", "zen2", "--no-ticks"], "--no-ticks")):
    done = subprocess.run([TMREC, "record", *options, "--", "true"], capture_output=True, text=True)
    if done.returncode != 2 or word not in done.stderr:
        fail(options, done)
done = subprocess.run([TMREC, "record", "--cpu-baseline", "zen2", "-p", str(os.getpid())], capture_output=True, text=True)
if done.returncode != 2 or "has chosen already" not in done.stderr:
    fail("-p", done)
print("shown and needed: v2, v3, native")
