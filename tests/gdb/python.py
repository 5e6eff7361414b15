"""A recording of python3 with Debian's helpers for gdb: the Python stack at the end and at a place gone back to, and a native one."""

import os

from debugging import gdb, need, recorded, scratch, skip

HELPERS = "/usr/share/gdb/auto-load/usr/bin/python3.11-gdb.py"
PROGRAM = """
import os, time

def inner(depth):
    if depth == 0:
        time.sleep(0.01)
        os.abort()
    answer = depth * 6
    inner(depth - 1)

def outer():
    inner(7)

outer()
"""

need("/usr/bin/python3.11")
if not os.path.exists(HELPERS):
    skip("python3-dbg is not installed")
script = os.path.join(scratch, "program.py")
with open(script, "w") as f:
    f.write(PROGRAM)
trace = recorded("/usr/bin/python3.11", script, status=134)
gdb(trace, "source " + HELPERS, "bt 3", "py-bt", "break clock_nanosleep", "reverse-continue", "py-bt", "py-print depth", options=["--at-end"]).expect(
    "#0 .*pthread_kill", "Traceback", "line 7, in inner", "line 9, in inner", "line 12, in outer", "line 14, in <module>", "Breakpoint 1, ", "Traceback",
    "line 6, in inner", "line 9, in inner", "line 12, in outer", "line 14, in <module>", "local 'depth' = 0")
