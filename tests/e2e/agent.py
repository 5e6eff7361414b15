"""System calls made in place: that they are, and that the agent refuses and leaves alone what the supervisor does."""

import json
import os
import re

from cli_support import TMREC, check, tmrec

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


for name, options, least in (("agent", (), 1000), ("later", ("--agent-after=48",), 1000), ("stops", ("--no-agent",), 0)):
    tmrec("record", "-q", "--name", name, *options, "/usr/bin/python3", "-c", WORK).exits(0).prints(REFUSED)
    tmrec("replay", "-a", f"{name}-1").exits(0).prints(REFUSED)
    made = in_place(f"{name}-1")
    check(made >= least and (least > 0 or made == 0), f"{options}: {made} system calls in place")

# The parts of a pipeline share a ring, and a service that gives up its user has one for itself; clocks make no calls.
LOOP = "while read -r line; do printf '%s\\n' \"${#line}\"; done < /etc/passwd"
AS_USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.geteuid() == 0 else ()
for name, command in (("pipeline", f"{LOOP} | cat | sort -n"), ("user", f"for i in 1 2 3; do {LOOP}; done")):
    out = tmrec("record", "-q", "--name", name, *(AS_USER if name == "user" else ()), "bash", "-c", command).exits(0).out
    check(out and in_place(f"{name}-1") > 100, f"{name}: {in_place(f'{name}-1')} calls in place")
    tmrec("replay", "-a", f"{name}-1").exits(0).prints(out)


# A signal ends the program in a call that the agent makes, and all is compared behind it.
GUESTS = os.path.join(os.path.dirname(TMREC), "..", "tests", "guests")
tmrec("record", "-q", "--name", "ended", "--check=1", os.path.join(GUESTS, "death_term")).exits(143)
tmrec("replay", "-a", "ended-1").exits(143)


def story(name, *options):
    """What a program without any input of its own did: the text of every event, without what differs from run to run."""
    tmrec("record", "-q", "--name", name, *options, "bash", "-c", "while read -r line; do echo ${#line}; done < /etc/passwd; printf '%(%Y)T' 0").exits(0)
    events = [json.loads(line) for line in tmrec("dump", "--json", f"{name}-1").exits(0).out.splitlines()]
    varies = re.compile(r'getrandom\("(?:[^"\\]|\\.)*"|tv_[nu]?sec=\d+|(?:get\w*id|getpgrp|set_tid_address)\([^)]*\) = \d+|sysinfo\({[^}]*')
    return [varies.sub("", e["text"]) for e in events if e["kind"] not in ("patch", "instruction", "check")]


made, stopped = story("made", "--agent-after=0"), story("stopped", "--no-agent")
for one, other in zip(made, stopped):
    check(one == other, f"with the agent {one}, without {other}")
check(len(made) == len(stopped), f"{len(made)} events with the agent, {len(stopped)} without")
