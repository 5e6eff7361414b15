"""redis-server under load with a ring: saved twice by signals while it goes on, bounded, and each replays."""

import os
import re
import signal
import subprocess
import sys

from recording import await_port, free_port, need, scratch, wait_until
from ringing import manifest, replay, segments, start, traces, words

server, client, load = need("redis-server", "redis-cli", "redis-benchmark")
port = str(free_port())
base = os.path.join(scratch, "traces")
tmrec = start(base, ["--ring", "2s", "--on-signal", "USR2", "--on-crash", "--require"], [server, "--port", port, "--save", ""])
await_port(port)
busy = subprocess.Popen([load, "-p", port, "-n", "100000000", "-r", "10000", "-t", "set,get,lpush,lpop", "-q"], stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
most = 0


def held():
    """Bytes of the log and the snapshots that the recorder keeps at this moment."""
    bytes = 0
    for place in (traces(base)[0], os.path.join(traces(base)[0], "log")):
        for entry in os.scandir(place):
            try:
                bytes += entry.stat().st_size if entry.is_file() else 0
            except FileNotFoundError:
                continue
    return bytes


try:
    for number in (2, 3):
        # Until what is kept does not begin with the first event any more, nor with what the last one has.
        former = segments(traces(base)[0])[0]
        wait_until(lambda: segments(traces(base)[0])[0] > former, "nothing is dropped")
        most = max(most, held())
        tmrec.send_signal(signal.SIGUSR2)
        wait_until(lambda: os.path.lexists(f"{base}/latest") and os.readlink(f"{base}/latest").endswith(f"-{number}"), "nothing is saved")
    if busy.poll() is not None:
        sys.exit(f"the load has ended with {busy.returncode}")
    answer = subprocess.run([client, "-p", port, "ping"], capture_output=True, text=True, timeout=60)
    if answer.stdout != "PONG\n":
        sys.exit(f"redis says {answer.stdout!r}")
    subprocess.run([client, "-p", port, "shutdown", "nosave"], capture_output=True, timeout=60)
    if tmrec.wait(60) != 0:
        sys.exit(f"record ended with {tmrec.returncode}: {words(base)}")
finally:
    busy.kill()
    busy.wait()
    if tmrec.poll() is None:
        subprocess.run([client, "-p", port, "shutdown", "nosave"], capture_output=True)
        tmrec.wait(60)
if len(traces(base)) != 2:
    sys.exit(f"other than two traces are kept: {traces(base)}; {words(base)}")
for trace in traces(base):
    told = manifest(trace)
    covered = re.fullmatch(r"saved: signal SIGUSR2; the last ([0-9.]+) s", told["end_reason"])
    if not covered or float(covered[1]) < 2 or told["first_event"] == 1 or not told["complete"]:
        sys.exit(f"{trace}: {told['end_reason']!r}, from event {told['first_event']}")
    if f"{trace}: {told['end_reason']}" not in words(base):
        sys.exit(f"{trace} is not announced: {words(base)}")
    replay(trace, 0)
print(f"{most >> 20} MiB held at most, starting points took up to {manifest(traces(base)[-1])['longest_start_ms']} ms")
