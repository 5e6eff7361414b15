"""Debug information in a file of its own, found by build id beside a trace that was a pack: names and lines are there
though the program was stripped, and packing the trace again takes it along."""

import json
import os
import re
import subprocess

from debugging import TMREC, compiled, gdb, need, recorded, scratch

need("objcopy")
PROGRAM = """
static int deepest(int n) { return *(volatile int*)(long)n; }
int main(void) { return deepest(0); }
"""
program = compiled(PROGRAM, "-Wl,--build-id")
notes = subprocess.run(["readelf", "-n", program], check=True, capture_output=True, text=True).stdout
build_id = re.search(r"Build ID: ([0-9a-f]+)", notes).group(1)
debug = os.path.join(scratch, "debug-information")
subprocess.run(["objcopy", "--only-keep-debug", program, debug], check=True)
subprocess.run(["strip", program], check=True)
trace = recorded(program, status=139)
gdb(trace, "bt", options=["--at-end"]).never("deepest")


def packed(of, name):
    path = os.path.join(scratch, name)
    subprocess.run([TMREC, "pack", of, "-o", path, "-q"], check=True)
    return path


place = os.path.join(scratch, "unpacked")
os.makedirs(place)
subprocess.run(["tar", "--zstd", "-xf", packed(trace, "bare.tmrec"), "-C", place], check=True)
unpacked = os.path.join(place, os.path.basename(trace))
os.makedirs(os.path.join(unpacked, "debug", build_id[:2]))
os.rename(debug, os.path.join(unpacked, "debug", build_id[:2], build_id[2:] + ".debug"))
again = packed(unpacked, "complete.tmrec")
os.rename(program + ".c", program + ".txt")  # a line's number comes from the debug information alone
for whole in (unpacked, again):
    gdb(whole, "bt", "info line deepest", options=["--at-end"]).expect(
        r"#0 .*deepest \(n=0\) at .*\.c:2", r"#1 .*main \(\) at .*\.c:3", r"Line 2 of")
info = json.loads(subprocess.run([TMREC, "info", "--json", again], check=True, capture_output=True).stdout)
if info["contents"]["debug"]["files"] < 1:
    raise SystemExit(f"info knows no debug file: {info['contents']}")
