"""pack --encrypt-to: only the owner of the key opens it, everybody else learns in one line what is missing."""

import os
import subprocess

from cli_support import check, environment, file, ordinary_user, scratch, tmrec

temporary = os.path.join(scratch, "temporary")
os.makedirs(temporary)
environment["TMPDIR"] = temporary


def key(name):
    """A secret key's file and its public key."""
    path = os.path.join(scratch, name)
    subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    return path, subprocess.run(["age-keygen", "-y", path], check=True, capture_output=True, text=True).stdout.strip()


(mine, to_me), (theirs, to_them) = key("mine"), key("theirs")
tmrec("record", "-q", "--name", "secret", "sh", "-c", "echo the password; exit 4").exits(4)
pack = os.path.join(scratch, "pack.age")
tmrec("pack", "--encrypt-to", to_me, "-o", pack).exits(0).prints("").says("packed")
content = open(pack, "rb").read()
check(content.startswith(b"age-encryption.org/") and b"secret-1" not in content, "it is not encrypted")
check(os.stat(pack).st_mode & 0o777 == 0o600, "it is readable by others")

for command in (["replay", "-a"], ["info"], ["dump"], ["replay"], ["pack"]):
    tmrec(*command, pack).exits(2).prints("").says("is encrypted", "--identity")
    tmrec(*command, pack, "--identity", theirs).exits(2).prints("").says("cannot decrypt", "no identity matched")
tmrec("replay", "-a", pack, "--identity", os.path.join(scratch, "absent")).exits(2).says("absent")
tmrec("replay", "-a", pack, "--identity", mine, PATH="/nonexistent").exits(4).says("apt-get install age")
tmrec("replay", "-a", pack, "--identity", mine).exits(4).prints("the password\n").silent()
check("encrypted" in tmrec("info", pack, "--identity", mine).exits(0).out, "info does not say that it is encrypted")

# Several keys, from a file; and the default name.
tmrec("pack", "--encrypt-to", file("keys", f"{to_them}\n".encode()), "--encrypt-to", to_me).exits(0)
for identity in (mine, theirs):
    tmrec("replay", "--verify", "secret-1.tmrec.age", "--identity", identity).exits(0).silent()
tmrec("pack", "--encrypt-to", "nobody", "-o", "none.age").exits(2).says("cannot encrypt", "nobody")
check(not os.path.exists(os.path.join(scratch, "none.age")), "a pack that failed stays")
tmrec("pack", "--encrypt-to", to_me, "-o", "none.age", PATH="/nonexistent").exits(4).says("apt-get install age")

# Damage.
for damaged in (content[:len(content) // 2], content[:-1], content[:3000] + bytes([content[3000] ^ 1]) + content[3001:], content[:30]):
    tmrec("replay", "-a", file("damaged.age", damaged), "--identity", mine).exits(2).prints("").says("damaged.age")
check(not os.listdir(temporary), f"left in TMPDIR: {os.listdir(temporary)}")
check(not [n for n in os.listdir(scratch) if n.endswith(".tmp")], "temporary files stay")
