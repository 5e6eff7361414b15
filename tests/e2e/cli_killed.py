"""The supervisor killed with SIGKILL: the program goes on, and the trace says and replays what there is."""

import json
import os
import signal
import subprocess
import time

from cli_support import TMREC, check, environment, scratch, tmrec, traces

front = subprocess.Popen([TMREC, "record", "-q", "sh", "-c", "echo one; read line; echo two; exit 6"], env=environment, cwd=scratch,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
check(front.stdout.readline() == "one\n", "the program did not start")
time.sleep(1)  # what is appended reaches the disk within 200 ms


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(child) for child in f.read().split()]


def is_supervisor(pid):
    return os.path.samefile(f"/proc/{pid}/exe", TMREC)


[entry] = json.loads(tmrec("ls", "--json").out)
check(entry["state"] == "recording", f"state {entry['state']}")
[supervisor] = [child for child in children(front.pid) if is_supervisor(child)]
os.kill(supervisor, signal.SIGKILL)
out, err = front.communicate("go on\n", timeout=30)
check(front.returncode == 6 and out == "two\n", f"the program did not go on: {front.returncode} {out!r} {err!r}")

[entry] = json.loads(tmrec("ls", "--json").out)
check(entry["state"] == "broken off", f"state {entry['state']}")
tmrec("info").exits(0).silent()
tmrec("dump").exits(0)
tmrec("replay", "--verify").exits(0).prints("").silent()
done = tmrec("replay", "-a")
done.prints("one\n").says("recording")
tmrec("rm", entry["name"]).exits(0)
check(not os.path.lexists(os.path.join(traces, entry["name"])), "rm left it")
