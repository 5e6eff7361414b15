"""What docs/deploy offers is what its readers get: each file is understood by its tool, and its commands do what it says."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from cli_support import TMREC, check, environment, file, scratch

DEPLOY = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "deploy"))


def text(name):
    with open(os.path.join(DEPLOY, name), encoding="utf-8") as f:
        return f.read()


def wait_until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < deadline, f"after {seconds} s: {what()}")
        time.sleep(0.02)


def options_work(words):
    """A command line of tmrec record, with its trace directory moved, runs a service with its status."""
    words = list(words)
    words[words.index("-o") + 1] = os.path.join(scratch, "numbered")
    end = words.index("--") + 1
    done = subprocess.run([TMREC, *words[1:end], "sh", "-c", "exit 5"], capture_output=True, text=True, env=environment, timeout=60)
    check(done.returncode == 5 and not done.stderr, f"{words}: status {done.returncode}: {done.stderr}")


# systemd
unit = text("service.service")
options_work(re.search(r"^ExecStart=(.*)$", unit, re.M).group(1).split())
check("--signal=USR2" in unit and "--on-signal USR2" in unit, "the unit names two signals")
if shutil.which("systemd-analyze"):
    place = file("service.service", unit.replace("/usr/bin/tmrec", TMREC).encode())
    verified = subprocess.run(["systemd-analyze", "verify", place], capture_output=True, text=True)
    faults = [line for line in verified.stderr.splitlines() if "service.service" in line]
    check(not faults, f"systemd-analyze: {faults}")

# Docker: every instruction, with its continuation lines; the last stage's entry point.
instructions = [line.split(None, 1) for line in text("Dockerfile").splitlines() if line and not line.startswith("#")]
check({word for word, _ in instructions} <= {"FROM", "COPY", "RUN", "ENV", "USER", "VOLUME", "CMD", "ENTRYPOINT"}, f"{instructions}")
stages = [rest.split() for word, rest in instructions if word == "FROM"]
check([s[-1] for s in stages] == ["tmrec", "sidecar", "service"] and stages[1][0] == stages[2][0] == "tmrec", f"stages {stages}")
options_work(json.loads(next(rest for word, rest in instructions if word == "ENTRYPOINT")))
for word, rest in instructions:
    if word == "CMD":
        json.loads(rest)
    if word == "RUN":
        subprocess.run(["sh", "-n", "-c", rest], check=True)

# Kubernetes
try:
    import yaml
except ImportError:
    yaml = None
if yaml:
    pod = yaml.safe_load(text("sidecar.yaml"))
    check(pod["kind"] == "Pod" and pod["spec"]["shareProcessNamespace"] is True, "no pod with shared processes")
    service, sidecar = pod["spec"]["containers"]
    check(service["securityContext"]["capabilities"] == {"drop": ["ALL"]}, "the service has more than it needs")
    check(sidecar["securityContext"] == {"capabilities": {"drop": ["ALL"], "add": ["SYS_PTRACE"]}}, "the sidecar has more than it needs")
    mounts = {mount["name"] for container in pod["spec"]["containers"] for mount in container.get("volumeMounts", [])}
    check(mounts == {volume["name"] for volume in pod["spec"]["volumes"]}, "a volume is missing")

# The sidecar's rights: the service's user, and one capability at most.
if os.getuid() == 0:
    place = os.path.join(scratch, "sidecar")
    os.makedirs(place)
    os.chmod(place, 0o777)
    tmrec = shutil.copy(TMREC, os.path.join(place, "tmrec"))
    if shutil.which("setcap"):
        subprocess.run(["setcap", "cap_sys_ptrace+ep", tmrec], check=True)
    user = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", "--inh-caps=-all"]
    serving = subprocess.Popen([*user, "--bounding-set=-all", "sh", "-c", "while sleep 0.05; do :; done"])
    try:
        for path in ("joined",):
            done = subprocess.run([*user, "--bounding-set=-all,+sys_ptrace", tmrec, "record", "-q", "-p", str(serving.pid), "--for", "300ms", "-o",
                                   os.path.join(place, path)], capture_output=True, text=True, timeout=100,
                                  env={"PATH": os.environ["PATH"], "TMREC_CACHE_DIR": os.path.join(place, "cache")})
            check(done.returncode == 0, f"the sidecar cannot record: {done.stderr}")
    finally:
        serving.kill()
        serving.wait()
    verified = subprocess.run([TMREC, "replay", "--verify", os.path.join(place, "joined")], capture_output=True, text=True, timeout=100)
    check(verified.returncode == 0, f"the replay ended with {verified.returncode}: {verified.stderr}")

# The alert hook
binaries = os.path.join(scratch, "bin")
os.makedirs(binaries)
os.symlink(TMREC, os.path.join(binaries, "tmrec"))
hooked = environment | {"PATH": binaries + ":" + os.environ["PATH"], "TMPDIR": scratch}
log = open(os.path.join(scratch, "log"), "w+")
base = os.path.join(scratch, "alerts")
service = subprocess.Popen(["tmrec", "record", "--on-signal", "USR2", "--for", "200ms", "-o", base, "--", "sh", "-c",
                            "trap 'exit 6' TERM; while sleep 0.02; do :; done"], env=hooked, stderr=log)
try:
    time.sleep(0.3)
    hook = [os.path.join(DEPLOY, "alert-hook"), str(service.pid)]
    first = subprocess.run(hook, capture_output=True, text=True, env=hooked, timeout=60)
    check(first.returncode == 0 and "told tmrec to record" in first.stdout, f"{first}")
    wait_until(lambda: os.path.lexists(os.path.join(base, "latest")), lambda: f"there is no trace; {open(log.name).read()}")
    second = subprocess.run(hook, capture_output=True, text=True, env=hooked, timeout=60)
    check(second.returncode == 0 and "less than" in second.stdout, f"{second}")
    service.send_signal(signal.SIGTERM)
    check(service.wait(60) == 6, "another status than the service's")
finally:
    service.kill()
    service.wait()
none = subprocess.run([os.path.join(DEPLOY, "alert-hook"), "1"], capture_output=True, text=True, env=hooked, timeout=60)
check(none.returncode != 0 and none.stderr.startswith("tmrec: "), f"nobody waits: {none}")
sys.exit(0)
