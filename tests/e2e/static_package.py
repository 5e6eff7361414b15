"""The package is installed into an empty root, works there, and leaves nothing behind when it is removed."""

import glob
import os
import subprocess
import sys

from cli_support import check, scratch

STATIC = os.environ.get("TMREC_STATIC", "")
TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
if not os.access(STATIC, os.X_OK):
    print("there is no static build (meson setup -Dstatic=true)")
    sys.exit(77)


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, **options)
    check(done.returncode == 0, f"{command}: status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


run(os.path.join(TREE, ".ci", "package"), scratch, os.path.dirname(os.path.dirname(STATIC)), env=os.environ | {"TMREC_NO_BUILD": "1"})
package, = glob.glob(os.path.join(scratch, "tmrec_*_amd64.deb"))
control = run("dpkg-deb", "--info", package)
check("Package: tmrec" in control and "Depends:" not in control, control)
for line in run("dpkg-deb", "--contents", package).splitlines():
    mode, owner = line.split()[:2]
    check(owner == "root/root" and mode in ("drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"), line)

root = os.path.join(scratch, "installed")
os.makedirs(os.path.join(root, "var/lib/dpkg/updates"))
os.makedirs(os.path.join(root, "var/lib/dpkg/info"))
for name in ("status", "available"):
    open(os.path.join(root, "var/lib/dpkg", name), "w").close()
dpkg = ["dpkg", f"--root={root}", "--force-not-root", "--force-script-chrootless", "--log=/dev/null"]
run(*dpkg, "--install", package)
tmrec = os.path.join(root, "usr/bin/tmrec")
environment = os.environ | {"TMREC_TRACE_DIR": os.path.join(scratch, "traces"), "PATH": os.path.dirname(tmrec) + ":" + os.environ["PATH"]}
check(run(tmrec, "--version").startswith("tmrec "), "it does not say its version")
check(run("tmrec", "record", "-q", "sh", "-c", "echo recorded", env=environment) == "recorded\n", "it does not record")
check(run("tmrec", "replay", "-a", env=environment) == "recorded\n", "it does not replay")
check(b"tmrec" in subprocess.run(["zcat", os.path.join(root, "usr/share/man/man1/tmrec.1.gz")], capture_output=True, check=True).stdout, "no manual")
check(run("bash", "-c", f'. "{root}/usr/share/bash-completion/completions/tmrec" && complete -p tmrec'), "no completion")
run(*dpkg, "--purge", "tmrec")
left = [name for name in glob.glob(os.path.join(root, "usr", "**"), recursive=True) if os.path.isfile(name)]
check(not left, f"left behind: {left}")
