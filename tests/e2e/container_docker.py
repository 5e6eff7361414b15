"""Under the system call filter and without the capabilities of a container of Docker's: programs are recorded, attached to
and replayed, by root and by a user, also outside of it."""

import os
import shutil
import subprocess
import sys

from container import inside
from recording import TMREC, file, need, scratch

if subprocess.run(inside("grep", "-q", "^Seccomp:.*2$", "/proc/self/status"), capture_output=True).returncode:
    print("no filter can be put in place here")
    sys.exit(77)
need("bash")
os.chmod(scratch, 0o755)
tmrec = shutil.copy(TMREC, os.path.join(scratch, "tmrec"))
SHELL = ["bash", "-c", "echo $RANDOM; for i in {1..80}; do read line </etc/passwd; done; /bin/echo done; exit 3"]
THREADS = """
import random, threading, time
def work():
    for _ in range(200):
        time.sleep(0.0001)
        open("/etc/passwd").read()
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(random.random())
"""
SELF = "import time; print('started', flush=True); [(sum(range(2000)), time.sleep(0.001)) for _ in range(1000)]; print('ended')"


def run(*command, expected=0, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, **options)
    if done.returncode != expected:
        sys.exit(f"{command}: status {done.returncode}, expected {expected}: {done.stdout[-500:]} {done.stderr[-2000:]}")
    return done


for user in [None] + ([65534] if os.getuid() == 0 else []):
    place = os.path.join(scratch, f"of-{user}")
    os.makedirs(place)
    if user:
        os.chown(place, user, user)
    environment = os.environ | {"HOME": place, "TMREC_TRACE_DIR": place, "TMREC_BLOB_DIR": os.path.join(place, "blobs"),
                                "TMREC_CACHE_DIR": os.path.join(place, "plans")}
    number = 0
    for options in ([], ["--agent-after=0"], ["--no-agent"]):
        for program, status in ((SHELL, 3), ([need("/usr/bin/python3"), "-c", THREADS], 0)):
            number += 1
            trace = os.path.join(place, f"trace-{number}")
            recorded = run(*inside(tmrec, "record", "-q", "--check=200", "-o", trace, *options, "--", *program, user=user),
                           expected=status, env=environment)
            for replayed in (run(*inside(tmrec, "replay", "-a", trace, user=user), expected=status, env=environment),
                             run(tmrec, "replay", "-a", trace, expected=status, env=environment)):
                if replayed.stdout != recorded.stdout or not recorded.stdout:
                    sys.exit(f"{options} {program}: {recorded.stdout!r}, replayed {replayed.stdout!r}")

    # A process of the same container is joined.
    code = f"""
import subprocess, sys
service = subprocess.Popen([{need("/usr/bin/python3")!r}, "-c", {SELF!r}], stdout=subprocess.PIPE, text=True)
service.stdout.readline()
joined = subprocess.run([{tmrec!r}, "record", "-q", "-p", str(service.pid), "--for", "300ms", "-o", {place + "/joined"!r}])
out, _ = service.communicate(timeout=100)
sys.exit(joined.returncode or service.returncode or out != "ended\\n")
"""
    run(*inside(need("/usr/bin/python3"), "-c", code, user=user), env=environment)
    run(tmrec, "replay", "--verify", os.path.join(place, "joined"), env=environment)
    doctor = run(*inside(tmrec, "doctor", user=user), env=environment).stdout
    if "MISSING" in doctor or "ADDR_NO_RANDOMIZE" not in doctor:
        sys.exit(f"doctor says something else than what is so: {doctor}")
print("recorded, joined and replayed under the filter")
