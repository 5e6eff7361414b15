"""What is not attached to, with the reason, and untouched."""

import ctypes
import mmap
import os
import subprocess
import sys
import time

from recording import TMREC, scratch


def attempt(pid, status, words):
    trace = os.path.join(scratch, f"refused-{pid}")
    done = subprocess.run([TMREC, "record", "-q", "-o", trace, "--for", "100ms", "-p", str(pid)], capture_output=True,
                          text=True, timeout=60)
    if done.returncode != status or words not in done.stderr:
        sys.exit(f"{words}: status {done.returncode}, {done.stderr}")
    if os.path.exists(trace):
        sys.exit(f"{words}: a trace was left behind")


def child(program):
    process = subprocess.Popen([sys.executable, "-c", program + "\nprint('ready', flush=True)\ninput()"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if process.stdout.readline() != "ready\n":
        sys.exit("a child has not begun")
    return process


def finish(process):
    process.communicate("\n", timeout=30)
    if process.returncode:
        sys.exit(f"a program that was refused ended with {process.returncode}")


STRICT = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
allow = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))
class Program(ctypes.Structure): _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_void_p)]
program = Program(1, ctypes.addressof(allow))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program), 0, 0): raise OSError(ctypes.get_errno())
"""
SHARING = f"""
import mmap
f = open({os.path.join(scratch, "shared")!r}, "r+b")
memory = mmap.mmap(f.fileno(), 4096)
"""

with open(os.path.join(scratch, "shared"), "wb") as f:
    f.write(bytes(4096))
filtered, first, second = child(STRICT), child(SHARING), child(SHARING)
attempt(filtered.pid, 4, "seccomp filter")
attempt(first.pid, 4, f"shares memory ({scratch}/shared) with process {second.pid}")
attempt(os.getpid(), 2, "has started this tmrec")
attempt(2 ** 22 - 1, 2, "there is no process")
for process in (filtered, first, second):
    finish(process)
traced = child("")
tracer = subprocess.Popen([TMREC, "record", "-q", "-o", os.path.join(scratch, "traced"), "-p", str(traced.pid)])
deadline = time.monotonic() + 30
while "TracerPid:\t0" in open(f"/proc/{traced.pid}/status").read() and time.monotonic() < deadline:
    time.sleep(0.01)
attempt(traced.pid, 4, "is being traced by process")
tracer.terminate()
if tracer.wait(30):
    sys.exit(f"the recording ended with {tracer.returncode}")
finish(traced)
print("refused what cannot be recorded")
