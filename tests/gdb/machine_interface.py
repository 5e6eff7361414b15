"""What VS Code does: gdb's machine interface (-i=mi) on `tmrec replay --listen`, with the commands of docs/debugging.md's launch
configuration, forwards and backwards."""

import re
import subprocess
import sys

from debugging import SECONDS, Client, compiled, need, recorded

PROGRAM = r"""
#include <stdlib.h>
static volatile int value;
static void set(int n) { value = n; }
int main(void) {
  for (int i = 0; i < 5; i++) set(i);
  abort();
}
"""

need("gdb")
trace = recorded(compiled(PROGRAM), status=134)
server = Client(trace, "--at-end", "--keep-listening")
port = server.socket.getpeername()[1]
server.ask("D")
server.socket.close()
# miDebuggerServerAddress, setupCommands, then what the buttons send.
commands = ["-gdb-set target-async on", "-gdb-set debuginfod enabled off", "-gdb-set remotetimeout 120", f"-target-select remote 127.0.0.1:{port}",
            "-interpreter-exec console \"python exec(gdb.execute('monitor gdb-commands', to_string=True))\"",
            "-stack-list-frames", "-break-insert set", "-exec-continue --reverse", "-stack-list-arguments 1 0 0", "-exec-step-instruction --reverse",
            "-exec-next --reverse", "-exec-continue", "-data-evaluate-expression value", "-interpreter-exec console \"last value\"",
            "-data-evaluate-expression value", "-target-detach"]
gdb = subprocess.Popen(["gdb", "-nx", "-q", "-i=mi"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
transcript = ""


def read_until(pattern):
    global transcript
    for line in gdb.stdout:
        transcript += line
        if re.match(pattern, line):
            return line
    sys.exit(f"gdb ended before {pattern}\n{transcript}")


answers = []
for number, command in enumerate(commands, 1):
    gdb.stdin.write(f"{number}{command}\n")
    line = read_until(rf"{number}\^")
    if line.startswith(f"{number}^error"):
        sys.exit(f"{command}: {line}\n{transcript}")
    if line.startswith(f"{number}^running"):
        line += read_until(r"\*stopped")
    answers.append(line)
gdb.stdin.close()
if gdb.wait(SECONDS) != 0:
    sys.exit(transcript)
server.server.terminate()
server.server.wait(SECONDS)
expected = {5: 'func="main"', 7: 'reason="breakpoint-hit"', 8: 'name="n",value="4"', 11: 'reason="breakpoint-hit"', 12: 'value="3"', 14: 'value="2"'}
for index, text in expected.items():
    if text not in answers[index]:
        sys.exit(f"{commands[index]}: no {text} in {answers[index]}\n{transcript}")
