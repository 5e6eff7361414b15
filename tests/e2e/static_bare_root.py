"""A packed trace is replayed where there is nothing: the static binary alone in an empty root, also by another user."""

import os
import shutil
import subprocess
import sys

from cli_support import check, scratch, tmrec, traces

STATIC = os.environ.get("TMREC_STATIC", "")
SKIPPED = 77
if not os.access(STATIC, os.X_OK):
    print("there is no static build (meson setup -Dstatic=true)")
    sys.exit(SKIPPED)
check(b"INTERP" not in subprocess.run(["readelf", "-lW", STATIC], check=True, capture_output=True).stdout, "it is not static")

root = os.path.join(scratch, "root")
os.makedirs(os.path.join(root, "proc"))
shutil.copy2(STATIC, os.path.join(root, "tmrec"))
unshare = ["unshare", *([] if os.getuid() == 0 else ["--user", "--map-root-user"]), "--mount", "--pid", "--fork", "--kill-child"]
if subprocess.run([*unshare, "true"], capture_output=True).returncode:
    print("no namespaces here")
    sys.exit(SKIPPED)


def in_root(*arguments, proc=True, user=None):
    """Runs the binary in the empty root."""
    mount = 'mount -t proc proc "$1/proc" && ' if proc else ""
    change = ["chroot", *([f"--userspec={user}:{user}"] if user else []), root, "/tmrec", *arguments]
    return subprocess.run([*unshare, "sh", "-c", mount + 'shift && exec "$@"', "sh", root, *change], capture_output=True, text=True,
                          timeout=120, env={})


def expect(done, status, out, *words):
    own = done.stderr.splitlines()
    check(done.returncode == status and done.stdout == out and len(own) == (1 if words else 0) and all(w in done.stderr for w in words),
          f"{done.args[-4:]}: status {done.returncode}, {done.stdout!r}, {done.stderr!r}; expected {status}, {out!r}, {words}")


tmrec("record", "-q", "--name", "sent", "sh", "-c", "(/bin/echo one; cat /proc/self/comm) | sort; exit 6").exits(6)
tmrec("pack", "-o", os.path.join(root, "bug.tmrec")).exits(0)
shutil.rmtree(traces)
OUTPUT = "cat\none\n"
expect(in_root("replay", "-a", "/bug.tmrec"), 6, OUTPUT)
expect(in_root("replay", "--verify", "/bug.tmrec"), 0, "")
check(sorted(os.listdir(root)) == ["bug.tmrec", "proc", "tmrec"], f"left behind: {os.listdir(root)}")
check("needs" in in_root("info", "/bug.tmrec").stdout and "exit_group" in in_root("dump", "/bug.tmrec").stdout, "info or dump")
expect(in_root("replay", "-a", "/bug.tmrec", proc=False), 4, "", "mount -t proc")
expect(in_root("record", "/tmrec", "--version", proc=False), 4, "", "mount -t proc")
expect(in_root("replay", "/bug.tmrec"), 4, "", "gdb", "--listen")
expect(in_root("replay", "-a", "/absent.tmrec"), 2, "", "absent.tmrec")

# Recorded and replayed there, as well.
recorded = in_root("record", "-q", "-o", "/trace", "/tmrec", "--version")
check(recorded.returncode == 0 and recorded.stdout.startswith("tmrec "), f"cannot record there: {recorded.stderr}")
expect(in_root("replay", "-a", "/trace"), 0, recorded.stdout)

if os.getuid() == 0:
    os.chmod(os.path.join(root, "bug.tmrec"), 0o644)
    expect(in_root("replay", "-a", "/bug.tmrec", user=65534), 4, "", "TMPDIR")
    os.mkdir(os.path.join(root, "tmp"))
    os.chmod(os.path.join(root, "tmp"), 0o1777)
    expect(in_root("replay", "-a", "/bug.tmrec", user=65534), 6, OUTPUT)
    check(not os.listdir(os.path.join(root, "tmp")), "another user's replay left something behind")
