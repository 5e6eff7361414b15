"""record: where options end, places and names of traces, exit statuses, and whose words go where."""

import os
import stat

from cli_support import NOBODY, check, file, ordinary_user, scratch, tmrec, traces

# The program's output, status and arguments are its own.
tmrec("record", "-q", "echo", "-q", "--check", "x").exits(0).prints("-q --check x\n").silent()
tmrec("record", "--", "echo", "--", "x").exits(0).prints("-- x\n").says("recording to")
tmrec("record", "sh", "-c", "echo out; echo err >&2; exit 7").exits(7).prints("out\n")
tmrec("record", "sh", "-c", "kill -TERM $$").exits(128 + 15)
tmrec("record", "sh", "-c", "kill -KILL $$").exits(128 + 9)
tmrec("record", file("no-interpreter-line", b"echo $0 $1\n", 0o755), "one").exits(0)

# Wrong options.
for wrong in (["record"], ["record", "--"], ["record", "--no-such-option", "true"], ["record", "--check", "many", "true"],
              ["record", "--check=-1", "true"], ["record", "--name", "a/b", "true"], ["record", "-o"], ["nonsense"], [],
              ["record", "--name", "x", "-o", "y", "true"], ["--log-level", "loud", "ls"], ["rm"], ["ls", "surplus"]):
    done = tmrec(*wrong).exits(2).prints("")
    done.expect(done.words and len(done.words) == len(done.err.splitlines()), "said something without its prefix, or nothing")

done = tmrec("record", "--no-ticks", "--ticks=pmu", "true").exits(2)
done.expect(done.words[0] == "tmrec: --no-ticks excludes --ticks", "does not say what excludes what")

# Names count up, and `latest` follows.
check(sorted(n for n in os.listdir(traces) if n.startswith("echo")) == ["echo-1", "echo-2"], "echo-1 and echo-2 expected")
tmrec("record", "-q", "--name", "nightly", "true").exits(0)
tmrec("record", "-q", "/bin/true").exits(0)
check(os.readlink(os.path.join(traces, "latest")) == "true-1", "latest does not point to true-1")
check(os.path.isdir(os.path.join(traces, "nightly-1")), "no nightly-1")
tmrec("record", "-q", "no-such-program")
check(os.readlink(os.path.join(traces, "latest")) == "true-1", "a failure moved latest")

# -o is the trace itself; blobs beside it; latest stays.
place = os.path.join(scratch, "deep", "er", "trace")
tmrec("record", "-q", "-o", place, "true").exits(0)
check(os.path.exists(os.path.join(place, "manifest.json")), "no trace where -o said")
check(os.path.isdir(os.path.join(scratch, "deep", "er", "blobs")), "no blobs beside it")
check(stat.S_IMODE(os.stat(place).st_mode) == 0o700, "the trace is open to others")
check(os.readlink(os.path.join(traces, "latest")) == "true-1", "-o moved latest")
tmrec("record", "-o", place, "true").exits(2).says("exists", place)
tmrec("record", "-o", place + "/", "true").exits(2).says("exists")
tmrec("record", "-o", file("a-file"), "true").exits(2).says("exists")
tmrec("record", "-q", "-o", "relative", "true").exits(0)
check(os.path.isdir(os.path.join(scratch, "relative")), "-o is relative to the working directory")

# Blobs elsewhere, and the trace remembers where.
shared = os.path.join(scratch, "shared-blobs")
apart = os.path.join(scratch, "apart", "trace")
tmrec("record", "-q", "-o", apart, "true", TMREC_BLOB_DIR=shared).exits(0)
check(os.listdir(shared), "TMREC_BLOB_DIR stayed empty")
tmrec("replay", "--verify", apart).exits(0).silent()

# A place that cannot be written: the machine's fault, status 4, one line.
sealed = os.path.join(scratch, "sealed")
os.makedirs(sealed, 0o555)
tmrec("record", "true", user=ordinary_user(), TMREC_TRACE_DIR=sealed).exits(4).says("sealed")
tmrec("record", "-o", os.path.join(sealed, "trace"), "true", user=ordinary_user()).exits(4).says("sealed")
tmrec("record", "true", TMREC_TRACE_DIR="/dev/null/traces").exits(4).says("/dev/null")

# Without a home, traces go to a private place; somebody else's directory there is not used.
if os.getuid() == 0:
    temporary = os.path.join(scratch, "tmp")
    os.makedirs(temporary)
    os.chmod(temporary, 0o1777)
    homeless = dict(user=NOBODY, TMREC_TRACE_DIR=None, HOME="/nonexistent", XDG_DATA_HOME=None, TMPDIR=temporary)
    tmrec("record", "-q", "true", **homeless).exits(0)
    private = os.path.join(temporary, f"tmrec-{NOBODY}")
    check(os.path.isdir(os.path.join(private, "true-1")), "no trace in the private directory")
    tmrec("replay", "--verify", **homeless).exits(0)
    os.chown(private, 0, 0)
    tmrec("record", "true", **homeless).exits(4).says("private", "TMREC_TRACE_DIR")

check(not [n for n in os.listdir(traces) if n.startswith(".")], "reservations left behind")
