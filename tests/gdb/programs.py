"""Real programs and other languages: redis-server from a command back to the accept, node, java, perl, Go; static and musl programs; stacks of all of
them, and a way back."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

from debugging import SECONDS, TMREC, compiled, events, gdb, need, recorded, run_scenarios, scenario, scratch

SIMPLE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static volatile int depth;
static void reach(int n) { depth = n; if (n < 5) reach(n + 1); else write(1, "down\n", 5); }
int main(void) { for (int i = 0; i < 3; i++) reach(i); abort(); }
"""


def recorded_server(argv, ready, use):
    """The trace of a server that is used, and then stopped by SIGTERM."""
    trace = os.path.join(scratch, "trace-" + os.path.basename(argv[0]))
    output = open(os.path.join(scratch, "output"), "wb")
    with subprocess.Popen([os.path.abspath(TMREC), "record", "-q", "-o", trace, "--", *argv], stdout=output, stderr=output, cwd=scratch) as server:
        try:
            for _ in range(SECONDS * 20):
                if ready():
                    break
                time.sleep(0.05)
            use()
            server.wait(SECONDS)
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGKILL)
    return trace


@scenario
def redis_from_a_command_back_to_the_accept():
    server, cli = need("redis-server"), need("redis-cli")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = str(s.getsockname()[1])

    def ask(*words):
        return subprocess.run([cli, "-p", port, *words], capture_output=True, text=True, timeout=SECONDS).stdout.strip()

    def use():
        for i in range(3):
            ask("set", f"key-{i}", f"value-{i}")
        if ask("incrby", "counter", "41") != "41" or ask("incrby", "counter", "1") != "42":
            sys.exit("redis counts wrongly")
        ask("shutdown", "nosave")

    trace = recorded_server([server, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], lambda: ask("ping") == "PONG", use)
    reply = next(number for number, what in events(trace) if re.search(r'write\(\d+, ":42\\r\\n"', what))
    text = gdb(trace, f"seek {reply - 1}", "bt 2", "info threads", "catch syscall accept4", "reverse-continue", "when", "bt -2", "delete",
               "catch syscall read", "condition 2 $rax > 20 && *(char*)$rsi == '*'", "continue", "x/s $rsi", "info threads", f"seek {reply - 1}", "when")
    text.expect("#0 ", '"bio_aof_fsync"', "returned from syscall accept4|call to syscall accept4", "^position", "main", "returned from syscall read", "incrby", '"bio_lazy_free"', "^position")


@scenario
def node_native_stack():
    node = need("node")
    script = os.path.join(scratch, "program.js")
    with open(script, "w") as f:
        f.write("const fs = require('fs'); let n = 0; for (let i = 0; i < 2000; i++) n += i; fs.writeSync(1, `sum ${n}\\n`);\n")
    trace = recorded(node, script)
    text = gdb(trace, "catch syscall write", "condition 1 $rdi == 1", "continue", "bt -3", "info threads", "when", "reverse-stepi", "stepi", "when", "thread 2", "bt 1")
    text.expect("call to syscall write", "Builtins_", '"node"', "^position", "^position", "#0 ")
    places = re.findall(r"^position (\S+):", text, re.MULTILINE)
    if places[0] != places[1]:
        sys.exit(f"one instruction back and forth: {places}")


@scenario
def java_native_stack():
    java = need("java")
    javac = shutil.which("javac")
    source = os.path.join(scratch, "Main.java")
    with open(source, "w") as f:
        f.write("public class Main { public static void main(String[] a) { int n = 0; for (int i = 0; i < 1000; i++) n += i; System.out.println(n); } }\n")
    argv = [java, "-Xint", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx64m"]
    if javac:
        subprocess.run([javac, "-d", scratch, source], check=True, timeout=SECONDS)
        trace = recorded(*argv, "-cp", scratch, "Main")
    else:
        trace = recorded(*argv, "-version")
    text = gdb(trace, "info threads", "thread apply all -q bt 1", "reverse-stepi", "stepi", "when", options=["--at-end"])
    text.expect('"java"', "#0 ", "^position")


@scenario
def perl_native_stack():
    perl = need("perl")
    trace = recorded(perl, "-e", "my %h; $h{$_ % 7} += $_ for 1 .. 500; syswrite STDOUT, join(',', map { $h{$_} } sort keys %h); kill 'ABRT', $$", status=134)
    text = gdb(trace, "bt -2", "catch syscall write", "reverse-continue", "reverse-continue", "x/s $rsi", "when", "continue", "when", options=["--at-end"])
    text.expect("main|_start", "syscall write", "call to syscall write", "17892|,", "^position", "^position")


@scenario
def go_program():
    go = need("go")
    with open(os.path.join(scratch, "main.go"), "w") as f:
        f.write('package main\n\nimport "os"\n\nvar total int\n\n//go:noinline\nfunc add(n int) int {\n\ttotal += n\n\treturn total\n}\n\n'
                "func main() {\n\tdone := make(chan int)\n\tgo func() {\n\t\tfor i := 0; i < 10; i++ {\n\t\t\tadd(i)\n\t\t}\n\t\tdone <- 1\n\t}()\n\t<-done\n"
                "\tos.Exit(add(2))\n}\n")
    program = os.path.join(scratch, "go-program")
    subprocess.run([go, "build", "-o", program, "main.go"], check=True, cwd=scratch, timeout=SECONDS, env=os.environ | {"GO111MODULE": "off", "HOME": scratch, "GOFLAGS": ""})
    trace = recorded(program, status=47)
    text = gdb(trace, "break main.add if n == 2", "continue", "print 'main.total'", "bt 1", "continue", "print 'main.total'", "bt", "watch 'main.total'", "reverse-continue",
               "print 'main.total'", "reverse-continue", "reverse-continue", "print 'main.total'", "info threads")
    text.expect(r"\$1 = 1$", "#0 .*main.add", r"\$2 = 45", "main.main", "New value = 36", r"\$\d = 36", r"= 2[18]$", '"go-program"')


@scenario
def a_static_program():
    trace = recorded(compiled(SIMPLE, "-static"), status=134)
    gdb(trace, "bt -1", "break reach if n == 5", "reverse-continue", "bt", "reverse-continue", "reverse-continue", "reverse-continue", options=["--at-end"]).expect(
        "main", r"reach \(n=5\)", r"#3 .*reach \(n=2\)", "#4 .*main", "reach .n=5", "reach .n=5", "No more reverse-execution history")


@scenario
def a_musl_program():
    gcc = need("musl-gcc")
    source = os.path.join(scratch, "simple.c")
    program = os.path.join(scratch, "musl-program")
    with open(source, "w") as f:
        f.write(SIMPLE)
    subprocess.run([gcc, "-g", "-static", "-o", program, source], check=True)
    trace = recorded(program, status=134)
    gdb(trace, "break reach if n == 5", "reverse-continue", "bt", "last depth", "print n", "reverse-stepi", "stepi", "print depth", "catch syscall write",
        "reverse-continue", options=["--at-end"]).expect(r"reach \(n=5\)", "main", "written here: 3 before, 4 after", r"\$1 = 4", r"\$2 = 3", "syscall write")


@scenario
def optimized_code():
    trace = recorded(compiled(SIMPLE, "-O2"), status=134)
    gdb(trace, "watch depth", "reverse-continue", "print depth", "reverse-continue", "reverse-continue", "info registers rip", "continue", options=["--at-end"]).expect(
        "Old value = 5\nNew value = 4", r"\$1 = 4", "New value = 3", "New value = 2", "New value = 3")


@scenario
def a_program_whose_files_are_gone():
    program = compiled(SIMPLE)
    trace = recorded(program, status=134)
    os.remove(program)
    os.remove(program + ".c")
    gdb(trace, "bt -1", "break reach if n == 5", "reverse-continue", "print depth", "info sharedlibrary", options=["--at-end"]).expect(
        "main", r"reach \(n=5\)", r"\$1 = 4", "libc.so.6")


run_scenarios()
