"""The connection to a debugger: Ctrl-C is noticed soon, garbage gets errors, a debugger that vanishes leaves the stub ready
for the next one with --keep-listening."""

import random
import socket
import sys
import time

from debugging import Client, compiled, gdb, recorded

PROGRAM = r"""
#include <stdio.h>
int main(void) {
  unsigned long sum = 0;
  for (unsigned long i = 0; i < 3000000000; i++) sum += i ^ sum;
  printf("%lu\n", sum);
}
"""

trace = recorded(compiled(PROGRAM))
client = Client(trace, "--keep-listening")
address = client.socket.getpeername()
client.send("vCont;c")
time.sleep(0.3)
began = time.monotonic()
client.socket.sendall(b"\x03")
reply = client.receive()
if not reply.startswith("T02") and "replaylog" not in reply:
    sys.exit(f"an interrupted run stopped with {reply}")
if (took := time.monotonic() - began) > 10:
    sys.exit(f"Ctrl-C was noticed after {took:.1f} s")
here = client.state()
client.ask("bs")
client.ask("vCont;s")
if client.state() != here:
    sys.exit("back and forth from where Ctrl-C stopped is another place")

chance = random.Random(1)
for packet in ("Z0", "Zz,1,1", "m,,", "vCont;x", "vCont;s:p1.1", "qXfer:features:read:target.xml:", "P", "G00", "X0,5:ab", "vFile:pread:9,9,9",
               "qRcmd,zz", "Hgzz", "p100000", "x0,ffffffffffffffff", "qSearch:memory:0;10;", "_", "M0,1:00"):
    client.ask(packet)
for _ in range(200):
    client.ask("".join(chance.choice("mMxXpPgGHTzZqQvbs?0123456789abcdef,;:.-") for _ in range(chance.randrange(1, 30))).replace(
        "bc", "").replace("D", "").replace("vKill", "").replace("k", ""))

client.socket.close()
for text in (b"", b"$", b"GET / HTTP/1.1\r\n\r\n", b"$m0,4#00", b"\xff" * 100000, b"$" * 300000):
    with socket.create_connection(address, 20) as other:
        other.sendall(text)
with socket.create_connection(address, 20) as last:
    last.settimeout(20)
    last.sendall(b"$?#3f")
    if not last.recv(1000).startswith(b"+$T"):
        sys.exit("the stub does not serve the next debugger")
    last.sendall(b"+$k#6b")
if client.server.wait(60) != 0:
    sys.exit("tmrec replay --listen did not end well: " + client.server.stderr.read())

gdb(trace, "info proc mappings", "print 1").expect("ld-linux", r"\$1 = 1")
