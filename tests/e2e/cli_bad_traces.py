"""Damaged, foreign and newer traces: one clear line and status 2, from every command that reads them."""

import json
import os
import re
import shutil

from cli_support import check, file, scratch, tmrec, traces

tmrec("record", "-q", "--name", "good", "sh", "-c", "for i in 1 2 3; do /bin/echo $i; done").exits(0)
good = os.path.join(traces, "good-1")
tmrec("replay", "--verify", good).exits(0).prints("").silent()
count = 0


def damaged():
    """A copy of the good trace with blobs of its own."""
    global count
    count += 1
    base = os.path.join(scratch, f"copy-{count}")
    shutil.copytree(traces, base, symlinks=True)
    return os.path.join(base, "good-1")


def refused(trace, *texts, commands=("replay -a", "info", "dump")):
    for command in commands:
        done = tmrec(*command.split(), trace).exits(2)
        done.expect(len(done.words) == 1 and len(done.err.splitlines()) == 1, "did not say exactly one line")
        for text in texts:
            done.expect(text in done.err, f"did not say {text!r}")
    tmrec("replay", "--verify", trace).exits(2).prints("")


def overwrite(path, at, content):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(content)


def only(directory, suffix):
    return [os.path.join(directory, n) for n in sorted(os.listdir(directory)) if n.endswith(suffix)]


# Not there, not a trace.
refused("absent", "absent")
refused("./absent", "absent")
refused(file("plain-file", b"text"), "plain-file")
os.makedirs(os.path.join(scratch, "empty-directory"))
refused(os.path.join(scratch, "empty-directory"), "empty-directory")
file("foreign/manifest.json", b'{"name": "left-pad", "version": "1.0.0"}')
refused(os.path.join(scratch, "foreign"), "foreign")
tmrec("replay", TMREC_TRACE_DIR=os.path.join(scratch, "nowhere")).exits(2).says("no trace", "tmrec record")

# A newer version says so.
trace = damaged()
with open(os.path.join(trace, "manifest.json"), encoding="utf-8") as f:
    manifest = json.load(f)
text = re.sub(r'"format_version": \d+', '"format_version": 4711', json.dumps(manifest))
check("4711" in text, "the manifest has no format_version any more: adapt this test")
file(os.path.join(trace, "manifest.json"), text.encode())
refused(trace, "newer")

# Damage to each part.
trace = damaged()
file(os.path.join(trace, "manifest.json"), b"\0" * 100)
refused(trace, "manifest.json")
trace = damaged()
overwrite(os.path.join(trace, "log", "000001"), 100, b"garbage")
refused(trace, "log", commands=("replay -a", "dump"))
trace = damaged()
shutil.rmtree(os.path.join(trace, "log"))
refused(trace, commands=("replay -a", "dump"))
trace = damaged()
overwrite(only(trace, ".core")[0], 0, b"garbage")
refused(trace, ".core", commands=("replay -a",))
trace = damaged()
os.remove(only(trace, ".core")[0])
refused(trace, ".core", commands=("replay -a",))
trace = damaged()
blobs = os.path.join(os.path.dirname(trace), "blobs")
for name in os.listdir(blobs):
    if len(name) == 32:
        os.truncate(os.path.join(blobs, name), os.path.getsize(os.path.join(blobs, name)) // 2)
refused(trace, "blobs", commands=("replay -a",))
trace = damaged()
shutil.rmtree(os.path.join(os.path.dirname(trace), "blobs"))
refused(trace, "blobs", commands=("replay -a",))

# A torn tail loses the tail and nothing else.
trace = damaged()
log = os.path.join(trace, "log", "000001")
os.truncate(log, os.path.getsize(log) - 7)
torn = tmrec("dump", trace)
torn.expect(torn.status in (0, 2) and len(torn.words) == 1, "a torn log is read to its tear, with one line about it")
