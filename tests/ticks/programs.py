"""Programs that compute, for tests/stress --ticks: what Debian installs, and some that are compiled here.

Each becomes a script that runs the command twice at the same time, so that one copy always waits for the other, with
an alarm going off all the time (alarms.c). It passes when both copies printed the same; what they printed must be the
same natively, recorded and replayed. Run-times that make code while they run are left out: that code counts no ticks.
"""

import os
import shutil
import subprocess

from guests import Guest

SCRIPT = """#!/bin/bash
copy() {{ LD_PRELOAD={alarms} TICK_ALARM_US={microseconds} {command}; }}
copy >first & one=$!
copy >second & other=$!
wait $one; result=$?
wait $other || result=$?
cmp first second || result=1
echo "= $(cksum <first), $(head -c 60 first | tr -cd '[:alnum:] ')"
rm -f first second
[ $result = 0 ] && echo EXIT-SUCCESS
exit $result
"""

PYTHON_THREADS = """
import threading
sums = [0] * 4
def work(n):
    for i in range(60000): sums[n] += i * n % 7
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(sums)
"""
SQL = """create table t(a integer, b text); create index tb on t(b);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 25000) insert into t select i * 7919 % 10007, 'row ' || i from n;
select count(*), sum(a), max(b) from t where a % 5 = 0; select a, count(*) from t group by a order by 2 desc, 1 limit 3;"""
AWK = "BEGIN { for (i = 0; i < 400000; i++) n[i * 7919 % 5003] += i; for (i = 0; i < 5; i++) print n[i] }"
PERL = "for (1 .. 300000) { $n{$_ * 7919 % 5003} += length $_; } print join ' ', map { $n{$_} } 1 .. 5;"
BASH = "for ((i = 0; i < 60000; i++)); do ((n = (n * 31 + i) % 65537)); a[n % 100]=$i; done; echo $n ${#a[@]}"
RUBY = "n = Hash.new(0); 150_000.times { |i| n[i * 7919 % 5003] += i }; puts n.values.first(5).inspect"
PHP = "$n = []; for ($i = 0; $i < 600000; $i++) { $n[$i * 7919 % 5003] = ($n[$i * 7919 % 5003] ?? 0) + $i; } echo $n[1], $n[2];"
CXX = """#include <map>
#include <string>
#include <vector>
int f(const std::vector<std::string>& words) { std::map<std::string, int> n; for (auto& w : words) n[w]++; return n.size(); }
"""
GO = """package main
import ("fmt"; "sync")
func main() {
	var wait sync.WaitGroup
	sums := make([]int, 4)
	for g := range sums {
		wait.Add(1)
		go func(g int) { defer wait.Done(); for i := 0; i < 20000000; i++ { sums[g] = (sums[g]*31 + i) % 65537 } }(g)
	}
	wait.Wait()
	fmt.Println(sums)
}
"""
RUST = """use std::thread;
fn main() {
    let threads: Vec<_> = (0..3u64).map(|n| thread::spawn(move || (0..9_000_000u64).fold(n, |s, i| (s * 31 + i) % 65537))).collect();
    println!("{:?}", threads.into_iter().map(|t| t.join().unwrap()).collect::<Vec<_>>());
}
"""


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def installed_commands(data, source):
    """Command lines by name: the first word is the program that must be installed."""
    return {
        "python3": f"/usr/bin/python3 -c {quoted('print(sum(i * i % 7 for i in range(300000)))')}",
        "python3-threads": f"/usr/bin/python3 -c {quoted(PYTHON_THREADS)}",
        "bash": f"bash -c {quoted(BASH)}",
        "dash": "dash -c 'i=0; while [ $i -lt 150000 ]; do i=$((i + 1)); done; echo $i'",
        "perl": f"perl -e {quoted(PERL)}",
        "ruby": f"ruby --disable=gems -e {quoted(RUBY)}",
        "php": f"php -n -r {quoted(PHP)}",
        "sqlite3": f"sqlite3 :memory: {quoted(SQL)}",
        "gawk": f"gawk {quoted(AWK)}",
        "mawk": f"mawk {quoted(AWK)}",
        "gzip": f"gzip -9 -n -c {data}",
        "bzip2": f"bzip2 -c {data}",
        "xz": f"xz -2 -c {data}",
        "xz-threads": f"xz -1 -T2 --block-size=300KiB -c {data}",
        "zstd-threads": f"zstd -q -12 -T2 -c {data}",
        "sort": f"sort --parallel=2 -S 1M {data}",
        "sed": f"sed -E 's/([a-z]+) of ([a-z]+)/\\2 \\1/g' {data}",
        "openssl-sha256": f"openssl dgst -sha256 {data} {data} {data} {data} {data} {data} {data} {data}",
        "openssl-aes": f"openssl enc -aes-256-ctr -K 00 -iv 00 -in {data}",
        "g++": f"g++ -S -O1 -o - {source}",
        "git": f"git hash-object --stdin-paths < <(yes {data} | head -40)",
    }


def compile_program(compiler, name, text, command, scratch):
    source = os.path.join(scratch, name)
    with open(source, "w", encoding="utf-8") as f:
        f.write(text)
    environment = dict(os.environ, HOME=scratch, GOCACHE=os.path.join(scratch, "cache"), GO111MODULE="off", GOTOOLCHAIN="local")
    if "RUSTUP_HOME" not in os.environ:
        environment["RUSTUP_HOME"] = os.path.expanduser("~/.rustup")
    program = os.path.join(scratch, os.path.basename(compiler) + "-program")
    done = subprocess.run([compiler, *command, "-o", program, source], cwd=scratch, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{compiler}: {done.stderr[-500:]}")
    return program


def write_data(path):
    with open(path, "wb") as f:
        for i in range(30000):
            f.write(b"line %d of text, word %d\n" % (i * 7919 % 30011, i * i % 997))


def make(directory, alarms, microseconds, names):
    """Writes the scripts into the directory. Gives a Guest for each; says what is missing."""
    data, source = os.path.join(directory, "data"), os.path.join(directory, "source.cc")
    write_data(data)
    with open(source, "w", encoding="utf-8") as f:
        f.write(CXX)
    wanted = {n: c for n, c in installed_commands(data, source).items() if not names or any(w in n for w in names)}
    for compiler, name, text, command in (("go", "main.go", GO, ["build"]), ("rustc", "main.rs", RUST, ["-O"])):
        if names and not any(w in compiler for w in names):
            continue
        if path := shutil.which(compiler):
            wanted[compiler] = compile_program(path, name, text, command, directory)
        else:
            print(f"{compiler}: not installed")
    for name, command in wanted.items():
        if not shutil.which(command.split()[0]):
            print(f"{name}: {command.split()[0]} is not installed")
            continue
        script = os.path.join(directory, name)
        with open(script, "w", encoding="utf-8") as f:
            f.write(SCRIPT.format(alarms=alarms, microseconds=microseconds, command=command))
        os.chmod(script, 0o755)
        yield Guest(name, script, 0, [], None, None)
