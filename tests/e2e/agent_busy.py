"""Processes that clients ask all the time, after a signal has stopped them all at once: they wait in the agent again.

While tasks that the supervisor has stopped were ready, every task had it make the next call that waits, and so stood stopped, and ready,
itself when that returned."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

from cli_support import TMREC, check, environment, scratch, tmrec

CHILDREN, ROUNDS = 6, 600
SERVER = """
import os, signal, socket, sys
signal.signal(signal.SIGUSR1, lambda *_: None)
for fd in map(int, sys.argv[1:]):
    if os.fork() == 0:
        end = socket.socket(fileno=fd)
        while asked := end.recv(100):
            end.send(asked)
        os._exit(0)
    os.close(fd)
for _ in sys.argv[1:]:
    os.wait()
"""

pairs = [socket.socketpair() for _ in range(CHILDREN)]
theirs = [far.fileno() for _, far in pairs]
server = subprocess.Popen([TMREC, "record", "-q", "--name", "busy", "--", sys.executable, "-c", SERVER, *map(str, theirs)],
                          pass_fds=theirs, stdin=subprocess.DEVNULL, env=environment, cwd=scratch)
for _, far in pairs:
    far.close()
answered = []


def ask(near):
    near.settimeout(60)
    for i in range(ROUNDS):
        near.send(b"%d" % i)
        if near.recv(100) != b"%d" % i:
            return
        if i == ROUNDS // 10 and near is pairs[0][0]:
            for pid in every_child():
                os.kill(pid, signal.SIGUSR1)
    near.close()
    answered.append(near)


def every_child():
    """Of the program, which tmrec has started."""
    def children(pid):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(child) for child in f.read().split()]
    return [child for program in children(server.pid) for child in children(program)]


clients = [threading.Thread(target=ask, args=(near,)) for near, _ in pairs]
try:
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    check(len(answered) == CHILDREN, f"{len(answered)} of {CHILDREN} clients got their answers")
    check(server.wait(60) == 0, f"the server ended with status {server.returncode}")
finally:
    for near, _ in pairs:
        near.close()
    if server.poll() is None:
        server.terminate()
        server.wait()
events = [json.loads(line) for line in tmrec("dump", "--json", "busy-1").exits(0).out.splitlines()]
calls = sum(1 for e in events if e["kind"] == "syscall")
notes = json.loads(tmrec("info", "--json", "busy-1").exits(0).out)["notes"]
in_place = sum(n["count"] for n in notes if n["what"] == "system calls performed by the agent")
check(calls > 2 * CHILDREN * ROUNDS, f"{calls} calls for {CHILDREN * ROUNDS} questions")
check(calls - in_place < 500, f"{calls - in_place} of {calls} calls with a stop; starting python takes 200")
tmrec("replay", "-a", "busy-1").exits(0)
