"""Debugging without a debugger: reverse execution, several threads, breakpoints and watchpoints by packets alone; packets that are none, lengths that
are absurd, and a client that does not listen or goes in the middle of a packet."""

import re
import socket
import subprocess
import sys

from debugging import Client, compiled, recorded, run_scenarios, scenario

PROGRAM = r"""
#include <pthread.h>
#include <stdlib.h>
static volatile long total, other;
static void add(long n) { total += n; }
static void* work(void* arg) { for (int i = 0; i < 5; i++) { other = i; add(100); } return arg; }
int main(void) {
  pthread_t t;
  for (long i = 0; i < 5; i++) add(i);
  pthread_create(&t, 0, work, 0);
  pthread_join(t, 0);
  for (long i = 0; i < 5; i++) add(i);
  abort();
}
"""

program = compiled(PROGRAM)
trace = recorded(program, status=134)
symbols = {name: 0x555555554000 + int(at, 16) for at, name in re.findall(r"^(\w+) . (\w+)$", subprocess.run(
    ["nm", program], capture_output=True, text=True).stdout, re.MULTILINE)}
ADD, TOTAL = symbols["add"], symbols["total"]


def check(actual, expected, what):
    if actual != expected:
        sys.exit(f"{what}: {actual} instead of {expected}")


def hits(client, packet, kind="swbreak"):
    seen = []
    while True:
        stop = client.ask(packet)
        if "replaylog" in stop:
            return seen
        if kind not in stop:
            continue
        seen.append((client.where(), client.stopped_thread(), client.register("rdi"), client.memory(TOTAL, 8)[:2], client.state()))
        if packet == "vCont;c" and kind == "swbreak":
            client.ask(f"z0,{ADD:x},1")
            client.ask("vCont;s:" + client.stopped_thread())
            client.ask(f"Z0,{ADD:x},1")


@scenario
def breakpoints_there_and_back():
    client = Client(trace)
    client.ask(f"Z0,{ADD:x},1")
    first = hits(client, "vCont;c")
    check([rdi for _, _, rdi, _, _ in first], [0, 1, 2, 3, 4] + [100] * 5 + [0, 1, 2, 3, 4], "arguments")
    check(len({thread for _, thread, _, _, _ in first}), 2, "threads")
    check(hits(client, "bc"), first[::-1], "backwards")
    check(hits(client, "vCont;c"), first, "forwards again")
    client.close()


@scenario
def watchpoints_there_and_back():
    client = Client(trace)
    client.ask(f"Z2,{TOTAL:x},8")
    first = hits(client, "vCont;c", "watch")
    check(len(first), 13, "writes that change the total")
    back = hits(client, "bc", "watch")
    check([value for *_, value, _ in back], [value for *_, value, _ in first[-2::-1]] + [bytes(2)], "values in front of the writes")
    check(len(back), 13, "writes backwards")
    check(client.memory(TOTAL, 8), bytes(8), "the total at the beginning")
    client.close()


@scenario
def steps_there_and_back_over_a_switch_of_threads():
    client = Client(trace)
    client.ask(f"Z0,{ADD:x},1")
    while client.ask("vCont;c") and client.register("rdi") != 100:
        client.ask(f"z0,{ADD:x},1")
        client.ask("vCont;s:" + client.stopped_thread())
        client.ask(f"Z0,{ADD:x},1")
    client.ask(f"z0,{ADD:x},1")
    thread = client.stopped_thread()
    seen = []
    for _ in range(40):
        seen.append((client.where(), client.state()))
        client.ask("bs")
        check(client.stopped_thread(), thread, "a thread that steps back")
    for expected in reversed(seen):
        client.ask("vCont;s:" + thread)
        check((client.where(), client.state()), expected, "a step forwards again")
    client.close()


@scenario
def both_ends_of_history():
    client = Client(trace)
    check("replaylog:begin" in client.ask("bc"), True, "bc at the beginning")
    check("replaylog:begin" in client.ask("bs"), True, "bs at the beginning")
    here = client.state()
    while "replaylog:end" not in client.ask("vCont;c"):
        pass
    end = client.state(), client.where()
    check("replaylog:end" in client.ask("vCont;c"), True, "on from the end")
    check((client.state(), client.where()), end, "the end")
    client.ask("bs")
    while "replaylog:end" not in client.ask("vCont;c"):
        pass
    check((client.state(), client.where()), end, "the end again")
    check("replaylog:begin" in client.ask("bc"), True, "back to the beginning")
    check(client.state(), here, "the beginning")
    client.close()


@scenario
def a_signal_says_which():
    client = Client(trace)
    check(client.ask("vCont;c")[:3], "T06", "the abort")
    client.ask("QPassSignals:6")
    client.ask("bc")
    check("replaylog:end" in client.ask("vCont;c"), True, "a signal that passes")
    client.close()


@scenario
def packets_that_are_none():
    client = Client(trace)
    here = client.where(), client.state()
    for packet in ("m", "m,", "m0", "mffffffffffffffff,ffffffffffffffff", "m10000000000000000,1", "M0,ffffffff:", "X0,1:", "X", "G", "Gzz", "P=", "P5", "p", "pffffffffffffffff",
                   "H", "Hx", "Hgp", "Hgp0.", "T", "Tzz", "Z", "Z9,0,1", "Z0,,", "Z2,0,ffffffffffffffff", "Z0,0,1;X", "z", "vCont", "vCont;", "vCont;r:1",
                   "vFile:", "vFile:open:", "vFile:open:zz,0,0", "vFile:pread:ffffffffffffffff,1,1", "vFile:close:", "qXfer", "qXfer:features:read",
                   "qXfer:features:read:target.xml:ffffffffffffffff,ffffffffffffffff", "qXfer:threads:read::0,", "qSearch:memory:0;ffffffffffffffff;x", "qGetTLSAddr:",
                   "qRcmd,f", "qSymbol:", "qThreadExtraInfo,", "QPassSignals:g", "QCatchSyscalls:", "QNonStop:1", "vAttach;", "D;zz", "vKill;zz", "_M", "jThreadsInfo:x",
                   "qMemoryRegionInfo:x", "bq", "b", "\x01", "}", "*", "x0,1", "Q", "q", "v", "j", "_"):
        reply = client.ask(packet)
        if not (reply == "" or reply[0] in "EF" or reply in ("OK", "l", "b", "0")) and not packet.startswith(("vCont", "Hg", "T", "j", "H")):
            sys.exit(f"{packet!r} is answered by {reply[:100]!r}")
    check((client.where(), client.state()), here, "after packets that are none")
    client.close()


@scenario
def clients_that_do_not_listen_or_vanish():
    client = Client(trace, "--keep-listening")
    address = client.socket.getpeername()
    client.socket.close()
    for bytes_ in (b"$", b"$m0,", b"$m0,4#", b"+$qSupported#37" * 1000, b"$X0,ffff:" + b"\xff" * 65535, b"$" + b"a" * 400000 + b"#00", b"\x03" * 1000, b"$vCont;c#a8"):
        with socket.create_connection(address, 20) as other:
            other.sendall(bytes_)
    # Asks for much, and reads nothing of it before it goes.
    with socket.create_connection(address, 20) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = b"$m%x,1000#" % (TOTAL & ~0xfff)
        request += b"%02x" % (sum(request[1:-1]) & 255)
        deaf.settimeout(5)
        try:
            for _ in range(3000):
                deaf.sendall(request)
        except (TimeoutError, OSError):
            pass
    with socket.create_connection(address, 60) as last:
        last.settimeout(60)
        last.sendall(b"$?#3f")
        answer = b""
        while b"#" not in answer:
            answer += last.recv(1000)
        if not answer.startswith(b"+$T"):
            sys.exit(f"the stub answers the next client by {answer}")
        last.sendall(b"+$k#6b")
    check(client.server.wait(60), 0, "the stub's status")


run_scenarios()
