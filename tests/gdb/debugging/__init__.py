"""What the tests of debugging share: small programs, recordings of them, the real gdb on a recording, and a client that
speaks gdb's protocol by itself.

A test is a script; it ends with 0 when it passed, 77 with a last line that says why when it can't run here. Run one by
hand with TMREC=build/cli/tmrec python3 tests/gdb/NAME.py. Most consist of scenarios, functions that share recordings; names
of some, given behind it, run those alone.
"""

import atexit
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback

TMREC = os.environ.get("TMREC") or os.path.realpath(os.path.join(os.path.dirname(__file__), "../../../build/cli/tmrec"))
SKIPPED = 77
SECONDS = 120

scratch = tempfile.mkdtemp(prefix="tmrec-gdb-")
os.chmod(scratch, 0o755)
atexit.register(shutil.rmtree, scratch, ignore_errors=True)
_numbers = iter(range(1000))


class Skip(SystemExit):
    def __init__(self, reason):
        super().__init__(SKIPPED)
        self.reason = reason


def skip(reason):
    print(reason)
    raise Skip(reason)


_scenarios = {}


def scenario(function):
    """A case of its own, counted by the function's name."""
    _scenarios[function.__name__] = function
    return function


def outcome_of(function):
    try:
        function()
    except Skip as skipped:
        return "skipped", skipped.reason
    except SystemExit as failed:
        return "failed", str(failed.code)
    except Exception:
        return "failed", traceback.format_exc()
    return "passed", ""


def run_scenarios():
    """At the end of a script. One that fails does not keep the others from being tried; the file TMREC_OUTCOMES names gets
    what became of each."""
    outcomes = {name: outcome_of(_scenarios[name]) for name in sys.argv[1:] or _scenarios}
    if place := os.environ.get("TMREC_OUTCOMES"):
        with open(place, "w") as f:
            json.dump(outcomes, f)
    for name, (outcome, text) in outcomes.items():
        print(outcome, name, text, sep=" " if not text else "\n")
    sys.exit(any(outcome == "failed" for outcome, _ in outcomes.values()))


def need(program):
    path = program if os.path.isabs(program) and os.access(program, os.X_OK) else shutil.which(program)
    if not path:
        skip(f"{program} is not installed")
    return path


def compiled(source, *options, language="c"):
    """The path of a program made of this source, with debug information."""
    name = os.path.join(scratch, f"program-{next(_numbers)}")
    path = f"{name}.{'cc' if language == 'c++' else 'c'}"
    with open(path, "w") as f:
        f.write(source)
    subprocess.run(["g++" if language == "c++" else "gcc", "-g", "-O0", *options, path, "-o", name, "-pthread"], check=True)
    return name


def recorded(*argv, status=0, options=(), stdin=None):
    """The trace of a run that ended with this status."""
    trace = os.path.join(scratch, f"trace-{next(_numbers)}")
    done = subprocess.run([TMREC, "record", "-q", "-o", trace, *options, "--", *argv], input=stdin, capture_output=True,
                          text=True, timeout=SECONDS)
    if done.returncode != status:
        sys.exit(f"recording {argv}: status {done.returncode}, expected {status}\n{done.stdout}\n{done.stderr}")
    return trace


def events(trace):
    """What `tmrec dump` says of the events of a recording, a list of (number, what happened)."""
    lines = subprocess.run([TMREC, "dump", trace], capture_output=True, text=True, errors="replace", check=True).stdout
    return [(int(line.split()[0]), line.split(maxsplit=3)[3]) for line in lines.splitlines()]


class Transcript(str):
    """What gdb printed."""

    def expect(self, *patterns):
        """These regular expressions match, one behind the other."""
        at = 0
        for pattern in patterns:
            found = re.compile(pattern, re.MULTILINE).search(self, at)
            if not found:
                sys.exit(f"{pattern!r} does not come after {self[:at][-200:]!r} in\n{self}")
            at = found.end()
        return self

    def never(self, pattern):
        if re.search(pattern, self, re.MULTILINE):
            sys.exit(f"{pattern!r} is in\n{self}")
        return self


def gdb(trace, *commands, options=()):
    """Runs gdb on the recording with these commands, one after the other."""
    need("gdb")
    script = os.path.join(scratch, f"commands-{next(_numbers)}")
    with open(script, "w") as f:
        f.write("set pagination off\nset confirm off\nset width 0\nset debuginfod enabled off\n")
        f.write("\n".join(commands) + "\n")
    done = subprocess.run([TMREC, "replay", *options, trace, "--", "-nx", "-batch", "-x", script], capture_output=True,
                          text=True, errors="replace", timeout=SECONDS, stdin=subprocess.DEVNULL)
    text = Transcript(done.stdout + done.stderr)
    text.never("Remote failure reply|desync|internal-error|Remote connection closed|Connection reset")
    return text


def refused(trace, command, reason, at_end=False):
    """This command of gdb's fails, and says why."""
    gdb(trace, f"python\ntry:\n  gdb.execute({command!r})\nexcept gdb.error as refusal:\n  print('refused:', refusal)\nend",
        options=["--at-end"] if at_end else []).expect("refused: .*" + reason)


class Client:
    """A debugger of our own. Replies are strings of one character per byte."""

    def __init__(self, trace, *options):
        self.server = subprocess.Popen([TMREC, "replay", "--listen", "0", *options, trace], stderr=subprocess.PIPE, text=True)
        line = self.server.stderr.readline()
        found = re.search(r"target remote 127\.0\.0\.1:(\d+)", line)
        if not found:
            sys.exit(f"tmrec replay --listen said {line!r}{self.server.stderr.read()!r}")
        self.socket = socket.create_connection(("127.0.0.1", int(found[1])), SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.waiting = b""
        self.acknowledges = True
        self.ask("QStartNoAckMode")
        self.acknowledges = False
        self.ask("qSupported:multiprocess+;exec-events+")
        description = self.object("features", "target.xml")
        self.registers = re.findall(r'<reg name="(\w+)" bitsize="(\d+)"', description)

    def send(self, payload):
        data = payload.encode("latin-1")
        self.socket.sendall(b"$" + data + b"#%02x" % (sum(data) & 255))

    def receive(self):
        while True:
            found = re.search(rb"\$([^#]*)#..", self.waiting, re.DOTALL)
            if found:
                self.waiting = self.waiting[found.end():]
                if self.acknowledges:
                    self.socket.sendall(b"+")
                payload = re.sub(rb"}(.)", lambda m: bytes([m[1][0] ^ 0x20]), found[1], flags=re.DOTALL)
                return payload.decode("latin-1")
            piece = self.socket.recv(1 << 16)
            if not piece:
                sys.exit("the stub has closed the connection")
            self.waiting += piece

    def ask(self, payload):
        self.send(payload)
        return self.receive()

    def object(self, kind, annex=""):
        text = ""
        while True:
            piece = self.ask(f"qXfer:{kind}:read:{annex}:{len(text):x},1000")
            if piece[0] not in "lm":
                sys.exit(f"no object {kind}: {piece}")
            text += piece[1:]
            if piece[0] == "l":
                return text

    def monitor(self, command):
        reply = self.ask("qRcmd," + command.encode().hex())
        return "" if reply == "OK" else bytes.fromhex(reply).decode()

    def threads(self):
        return self.ask("qfThreadInfo").lstrip("m").split(",")

    def stopped_thread(self):
        return re.search(r"thread:([^;]*);", self.ask("?"))[1]

    def register(self, name):
        number = [n for n, _ in self.registers].index(name)
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")

    def memory(self, address, size):
        reply = self.ask(f"m{address:x},{size:x}")
        return b"" if reply.startswith("E") else bytes.fromhex(reply)

    def state(self):
        """A hash of all threads' registers and of what is on their stacks."""
        digest = hashlib.sha256()
        for thread in self.threads():
            self.ask("Hg" + thread)
            digest.update(thread.encode() + self.ask("g").encode())
            digest.update(self.memory(self.register("rsp"), 2048))
        return digest.hexdigest()

    def where(self):
        return re.search(r"position (\S+):", self.monitor("when"))[1]

    def close(self):
        self.ask("D")
        self.socket.close()
        if self.server.wait(SECONDS) != 0:
            sys.exit("tmrec replay --listen failed: " + self.server.stderr.read())
