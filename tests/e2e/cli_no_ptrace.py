"""Where ptrace is forbidden, tmrec says which setting forbids it, exits with 4 and leaves nothing behind."""

import ctypes
import json
import os
import struct
import subprocess

from cli_support import TMREC, Ran, check, environment, scratch, traces

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SYS_PTRACE, SYS_PERSONALITY, EPERM = 101, 135, 1
libc = ctypes.CDLL(None, use_errno=True)


def forbid(*calls):
    """Answers the system calls with EPERM from here on (seccomp(2)), as a container's profile does."""

    def instruction(code, jump_true, jump_false, k):
        return struct.pack("=HBBI", code, jump_true, jump_false, k)

    program = instruction(0x20, 0, 0, 0)  # load the number
    for i, number in enumerate(calls):
        program += instruction(0x15, len(calls) - i, 0, number)  # equal: to the last instruction
    program += instruction(0x06, 0, 0, 0x7FFF0000) + instruction(0x06, 0, 0, 0x00050000 | EPERM)
    buffer = ctypes.create_string_buffer(program)
    header = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(buffer))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def confined(calls, *arguments):
    done = subprocess.run([TMREC, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd=scratch,
                          env=environment, preexec_fn=lambda: forbid(*calls))
    return Ran(arguments, done)


confined([SYS_PTRACE], "record", "echo", "must not run").exits(4).prints("").says("ptrace", "seccomp")
left = sorted(n for n in os.listdir(traces) if n != "blobs")
check(not left, f"left behind: {left}")

done = confined([SYS_PTRACE], "doctor", "--json").exits(4)
probes = {p["name"]: p for p in json.loads(done.out)}
check(not probes["ptrace"]["ok"] and "seccomp" in probes["ptrace"]["advice"], f"doctor does not name seccomp: {probes['ptrace']}")

# Docker's default profile forbids switching address randomisation off; that alone stops nothing.
confined([SYS_PERSONALITY], "record", "-q", "echo", "recorded").exits(0).prints("recorded\n")
confined([], "replay", "-a").exits(0).prints("recorded\n")
confined([SYS_PERSONALITY], "replay", "--verify").exits(0)
probes = {p["name"]: p for p in json.loads(confined([SYS_PERSONALITY], "doctor", "--json").exits(0).out)}
check(not probes["layout"]["ok"] and not probes["layout"]["needed"], f"doctor: {probes['layout']}")
