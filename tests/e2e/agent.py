"""System calls made in place: that they are, and that the agent refuses and leaves alone what the supervisor does."""

import json

from cli_support import check, tmrec

WORK = """
import os, socket
for i in range(500): os.getppid(); os.stat("/")
for what in (lambda: socket.socket(44, socket.SOCK_RAW), lambda: socket.socket().getsockopt(6, 35, 64)):
    try:
        print("given", what())
    except OSError as error:
        print(error.errno)
"""
REFUSED = "97\n92\n"  # EAFNOSUPPORT: AF_XDP; ENOPROTOOPT: TCP_ZEROCOPY_RECEIVE. Both share memory with the kernel.


def in_place(trace):
    notes = json.loads(tmrec("info", "--json", trace).exits(0).out)["notes"]
    return sum(n["count"] for n in notes if n["what"] == "system calls performed by the agent")


for name, options, least in (("agent", (), 1000), ("first", ("--agent-after=0",), 1000), ("stops", ("--no-agent",), 0)):
    tmrec("record", "-q", "--name", name, *options, "/usr/bin/python3", "-c", WORK).exits(0).prints(REFUSED)
    tmrec("replay", "-a", f"{name}-1").exits(0).prints(REFUSED)
    made = in_place(f"{name}-1")
    check(made >= least and (least > 0 or made == 0), f"{options}: {made} system calls in place")
