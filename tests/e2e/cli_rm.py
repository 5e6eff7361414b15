"""rm: what is shared stays, what nobody uses goes, and nothing but traces is ever removed."""

import os
import subprocess
import time

from cli_support import TMREC, check, environment, file, scratch, tmrec, traces

blobs = os.path.join(traces, "blobs")


def stored():
    return {n for n in os.listdir(blobs) if len(n) == 32}


def names():
    return sorted(n for n in os.listdir(traces) if n not in ("blobs", "latest"))


tmrec("record", "-q", "true").exits(0)
of_true = stored()
check(of_true, "nothing was stored")
tmrec("record", "-q", "ls", "/").exits(0)
of_both = stored()
check(of_both > of_true, "ls maps nothing that true does not")

# libc is shared: it stays while true-1 needs it.
tmrec("rm", "ls-1").exits(0).says("unused")
check(names() == ["true-1"], f"left: {names()}")
check(stored() == of_true, "rm removed a blob in use or kept one that is not")
tmrec("replay", "--verify", "true-1").exits(0)
check(os.readlink(os.path.join(traces, "latest")) == "true-1", "latest dangles")

# All or nothing, and only traces.
tmrec("record", "-q", "echo").exits(0)
tmrec("rm", "true-1", "absent").exits(2).says("absent")
os.makedirs(os.path.join(scratch, "precious"))
keep = file("precious/data", b"data")
tmrec("rm", os.path.dirname(keep)).exits(2)
tmrec("rm", blobs).exits(2)
check(os.path.exists(keep) and names() == ["echo-1", "true-1"], "rm removed what it should not")

# A blob that a trace elsewhere refers to stays as well.
far = os.path.join(scratch, "far", "trace")
tmrec("record", "-q", "-o", far, "ls", "/", TMREC_BLOB_DIR=blobs).exits(0)
tmrec("rm", "echo-1", "true-1").exits(0)
tmrec("replay", "--verify", far).exits(0)
check(not os.path.lexists(os.path.join(traces, "latest")), "latest dangles")
tmrec("rm", far).exits(0).says("unused")
check(not stored(), "unused blobs stay")

# A trace that is being recorded is not removed, and what it stored stays.
tmrec("record", "-q", "true").exits(0)
running = subprocess.Popen([TMREC, "record", "-q", "cat"], stdin=subprocess.PIPE, env=environment)
deadline = time.monotonic() + 30
while not os.path.exists(os.path.join(traces, "cat-1", "manifest.json")):
    check(time.monotonic() < deadline, "cat is not being recorded")
    time.sleep(0.05)
time.sleep(0.5)
before = stored()
tmrec("rm", "cat-1").exits(2).says("being recorded")
tmrec("rm", "true-1").exits(0).says("recording is running")
check(stored() == before, "blobs were collected under a running recording")
running.stdin.close()
check(running.wait(30) == 0, "cat failed")
tmrec("replay", "--verify", "cat-1").exits(0)
tmrec("rm", "cat-1").exits(0)
check(not stored() and not names(), f"left: {stored()} {names()}")
