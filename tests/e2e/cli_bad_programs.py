"""A program that cannot be recorded costs one clear line and the right status, and leaves nothing behind."""

import os
import struct

from cli_support import check, file, ordinary_user, scratch, tmrec, traces


def elf(elf_class, machine, kind=2):
    """The header of an ELF file of class 1 (32 bit) or 2 (64 bit)."""
    ident = b"\x7fELF" + bytes([elf_class, 1, 1]) + bytes(9)
    return ident + struct.pack("<HHI", kind, machine, 1) + bytes(64)


tmrec("record", "no-such-program-anywhere").exits(127).says("no-such-program-anywhere", "PATH")
tmrec("record", "./absent").exits(127).says("./absent")
tmrec("record", "").exits(127)
tmrec("record", "--", "/").exits(126).says("is a directory")
tmrec("record", file("plain", b"#!/bin/sh\n", 0o644)).exits(126).says("plain", "ermission denied")
tmrec("record", "/dev/null").exits(126).says("not a regular file")
tmrec("record", file("i386", elf(1, 3), 0o755)).exits(126).says("32-bit", "i386")
tmrec("record", file("x32", elf(1, 62), 0o755)).exits(126).says("x32")
tmrec("record", file("aarch64", elf(2, 183), 0o755)).exits(126).says("aarch64")
tmrec("record", file("object", elf(2, 62, 1), 0o755)).exits(126).says("object")
tmrec("record", file("cut", elf(2, 62)[:18], 0o755)).exits(126).says("truncated")
tmrec("record", file("empty", b"", 0o755)).exits(126).says("empty")
unreadable = file("unreadable", open("/bin/true", "rb").read(), 0o711)
os.chmod(traces, 0o777)
if ordinary_user() is None:
    os.chmod(unreadable, 0o100)
tmrec("record", unreadable, user=ordinary_user()).exits(126).says("unreadable", "read")
tmrec("record", file("bare", elf(2, 62) + bytes(64), 0o755)).exits(126).says("damaged")

left = sorted(n for n in os.listdir(traces) if n != "blobs")
check(not left, f"left behind: {left}")
check(not os.path.exists(os.path.join(scratch, "core")), "left a core file")
