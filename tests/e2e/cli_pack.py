"""pack: one file with everything in it, which every command opens; damaged, foreign and hostile ones say so in one line."""

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import tarfile

from cli_support import TMREC, check, environment, file, ordinary_user, scratch, tmrec, traces

temporary = os.path.join(scratch, "temporary")
os.makedirs(temporary)
os.chmod(temporary, 0o1777)
environment["TMPDIR"] = temporary


def leftovers():
    return os.listdir(temporary)


def packed(*arguments, **changes):
    """Packs and gives the file."""
    path = os.path.join(scratch, f"pack-{len(os.listdir(scratch))}.tmrec")
    tmrec("pack", *arguments, "-o", path, **changes).exits(0).prints("")
    return path


tmrec("record", "-q", "--name", "good", "sh", "-c", "for i in 1 2 3; do /bin/echo $i; done; exit 5").exits(5)
done = tmrec("pack").exits(0).prints("")
done.expect("good-1.tmrec" in done.err and "in the clear" in done.err, "did not say what it wrote, and what is in it")
pack = os.path.join(scratch, "good-1.tmrec")
check(os.stat(pack).st_mode & 0o777 == 0o600, "a pack is readable by others")
tmrec("pack").exits(2).says("exists already")
check(not [n for n in os.listdir(scratch) if n.endswith(".tmp")], "temporary files stay")
dumped, info = tmrec("dump").exits(0).out, json.loads(tmrec("info", "--json").exits(0).out)
text = tmrec("info").exits(0)
text.expect("in the clear" in text.out and "needs" in text.out and "contents of mapped files" in text.out, "info lacks something")

# Nothing but the pack is needed, and nothing of it stays.
shutil.move(traces, traces + "-away")
for command in (["replay", "-a", pack], ["replay", "-a", "./" + os.path.basename(pack)], ["replay", "-a", os.path.basename(pack)]):
    tmrec(*command).exits(5).prints("1\n2\n3\n").silent()
tmrec("replay", "--verify", pack).exits(0).prints("").silent()
tmrec("dump", pack).exits(0).prints(dumped)
of_pack = json.loads(tmrec("info", "--json", pack).exits(0).out)
check(of_pack["packed"] and not of_pack["encrypted"], "info does not know a pack")
for part in ("log", "snapshots", "blobs"):
    check(of_pack["contents"][part] == info["contents"][part], f"{part}: {of_pack['contents']} instead of {info['contents']}")
check(of_pack["events"] == info["events"] and of_pack["ticks"] == info["ticks"], "info tells something else of a pack")
tmrec("replay", "-a", pack, user=ordinary_user()).exits(2).says("Permission denied")
os.chmod(pack, 0o644)
tmrec("replay", "-a", pack, user=ordinary_user()).exits(5).prints("1\n2\n3\n").silent()
check(not leftovers(), f"left in TMPDIR: {leftovers()}")
tmrec("rm", pack).exits(2)
check(os.path.exists(pack), "rm removed a pack")

# gdb, its end, and the end of a replay that is killed.
gdb = tmrec("replay", pack, "--", "-batch", "-ex", "info proc")
gdb.expect(gdb.status == 0 and "process" in gdb.out, "gdb did not open the pack")
deadline = 200
while leftovers() and deadline:
    subprocess.run(["sleep", "0.1"])
    deadline -= 1
check(not leftovers(), f"gdb left in TMPDIR: {leftovers()}")
serving = subprocess.Popen([TMREC, "replay", "--listen", "0", pack], stderr=subprocess.PIPE, env=environment, cwd=scratch)
check(b"target remote" in serving.stderr.readline(), "is not serving")
check(len(leftovers()) == 1, "where is it unpacked?")
serving.kill()
serving.wait()
deadline = 200
while leftovers() and deadline:
    subprocess.run(["sleep", "0.1"])
    deadline -= 1
check(not leftovers(), f"a killed replay left in TMPDIR: {leftovers()}")

# Unpacked by tar it is a trace like any other, and can be packed again to the same bytes.
place = os.path.join(scratch, "by-tar")
os.makedirs(place)
subprocess.run(["tar", "--zstd", "-xf", pack, "-C", place], check=True)
tmrec("replay", "-a", os.path.join(place, "good-1")).exits(5).prints("1\n2\n3\n").silent()
again = packed(os.path.join(place, "good-1"))
check(hashlib.sha256(open(again, "rb").read()).digest() == hashlib.sha256(open(pack, "rb").read()).digest(), "packed again it differs")
check(open(packed(pack), "rb").read() == open(pack, "rb").read(), "a pack of a pack differs")
stream = subprocess.run([TMREC, "pack", pack, "-o", "-"], capture_output=True, env=environment, cwd=scratch)
check(stream.returncode == 0 and stream.stdout == open(pack, "rb").read() and not stream.stderr, "standard output differs")

# A machine that lacks what the recording one had is told before the replay starts.
trace = os.path.join(place, "good-1")
with open(os.path.join(trace, "manifest.json"), encoding="utf-8") as f:
    manifest = json.load(f)
manifest["tmrec_trace"]["cpu"]["features"].append("xop_of_tomorrow")
manifest["tmrec_trace"]["cpu"]["features"] += ["xop", "amx_tile"]  # no CPU has both
file(os.path.join(trace, "manifest.json"), json.dumps(manifest).encode())
tmrec("replay", "-a", packed(trace)).exits(5).prints("1\n2\n3\n").says("lacks instructions")
check("lacks instructions" in tmrec("info", trace).exits(0).out, "info does not say what is missing")

# A trace that is incomplete is not packed.
shutil.copytree(traces + "-away", os.path.join(scratch, "incomplete"), symlinks=True)
blobs = os.path.join(scratch, "incomplete", "blobs")
os.remove(os.path.join(blobs, sorted(n for n in os.listdir(blobs) if len(n) == 32)[0]))
tmrec("pack", os.path.join(scratch, "incomplete", "good-1"), "-o", "incomplete.tmrec").exits(2).says("missing")
check("missing" in tmrec("info", os.path.join(scratch, "incomplete", "good-1")).exits(0).out, "info does not miss a blob")
check(not os.path.exists(os.path.join(scratch, "incomplete.tmrec")), "a pack that failed stays")
tmrec("pack", pack, "-o", "/dev/full").exits(2)
tmrec("pack", pack, "-o", "./nowhere/x").exits(1).says("nowhere")


def refused(path, *texts, commands=("replay -a", "info", "dump")):
    for command in commands:
        tmrec(*command.split(), path).exits(2).prints("").says(*texts)
    check(not leftovers(), f"{path} left in TMPDIR: {leftovers()}")


# Damaged and foreign ones.
content = open(pack, "rb").read()
refused(file("empty.tmrec"), "empty.tmrec")
refused(file("text.tmrec", b"text" * 100), "neither a trace nor a pack")
refused(file("cut.tmrec", content[:len(content) // 2]), "damaged pack", "cut off")
refused(file("end.tmrec", content[:-1]), "damaged pack", "cut off")
refused(file("more.tmrec", content + b"more"), "damaged pack")
chance = random.Random(1)
for number in range(40):
    at, bit = chance.randrange(len(content)), chance.randrange(8)
    damaged = bytearray(content)
    damaged[at] ^= 1 << bit
    done = tmrec("replay", "-a", file("flipped.tmrec", bytes(damaged)))
    done.expect(done.status == 5 and done.out == "1\n2\n3\n" or done.status == 2 and len(done.words) == 1 == len(done.err.splitlines()),
                f"bit {bit} of byte {at}")
check(not leftovers(), f"left in TMPDIR: {leftovers()}")


def forged(name, members):
    """A tar archive by somebody else, compressed by zstd."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return file(name, subprocess.run(["zstd", "-q", "-c"], input=archive.getvalue(), capture_output=True, check=True).stdout)


def member(name, data=b"", kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, link
    return info, data


def with_list(name, lines, *members):
    text = b"tmrec-pack 1\n" + lines
    return forged(name, [member("x", kind=tarfile.DIRTYPE), member("x/pack", text), *members])


refused(forged("foreign.tmrec", [member("x", kind=tarfile.DIRTYPE), member("x/readme", b"hello")]), "not a pack")
refused(with_list("newer.tmrec", b""), "manifest")
refused(with_list("out.tmrec", b"2 manifest.json\n1 ../../../evil\n"), "no trace has")
refused(with_list("link.tmrec", b"2 manifest.json\n", member("x/manifest.json", kind=tarfile.SYMTYPE, link="/etc/passwd")), "damaged")
refused(with_list("absurd.tmrec", b"2 manifest.json\n9223372036854775000 log/000001\n", member("x/manifest.json", b"{}")), "tar --zstd")
zeros = 3 << 30
bomb = subprocess.run(f"(printf 'x' ; head -c {zeros} /dev/zero) | zstd -q -c", shell=True, capture_output=True, check=True).stdout
refused(with_list("bomb.tmrec", f"2 manifest.json\n{zeros} log/000001\n".encode(), member("x/manifest.json", b"{}")), "tar --zstd")
refused(file("raw-bomb.tmrec", bomb), "raw-bomb")
refused(with_list("manifest.tmrec", b"2 manifest.json\n0 log/000001\n", member("x/manifest.json", b"{}"), member("x/log/000001")), "manifest")
tmrec("replay", "-a", pack, TMPDIR=os.path.join(scratch, "absent")).exits(4).says("TMPDIR")
