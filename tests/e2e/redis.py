"""redis-server on loopback, with redis-benchmark and redis-cli outside the recording."""

import os
import subprocess

from recording import Recording, await_port, free_port, need, scratch

server, benchmark, cli = need("redis-server", "redis-benchmark", "redis-cli")
port = free_port()


def run(argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=200)
    recording.check(done.returncode == 0, f"{argv}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout


recording = Recording([server, "--port", str(port), "--bind", "127.0.0.1", "--dir", scratch, "--save", "", "--appendonly", "yes",
                       "--appendfsync", "everysec", "--daemonize", "no"])
await_port(port)
at = ["-h", "127.0.0.1", "-p", str(port)]
output = run([benchmark, *at, "-n", "1500", "-c", "10", "-t", "set,get,incr,lpush,zadd", "-r", "200", "-q"])
recording.check(output.count("requests per second") >= 5, f"the benchmark printed {output!r}")
recording.check(run([cli, *at, "set", "key", "value"]).strip() == "OK", "set failed")
recording.check(run([cli, *at, "get", "key"]).strip() == "value", "get failed")
recording.check(run([cli, *at, "eval", "return redis.call('incr', 'n')", "0"]).strip() == "1", "eval failed")
run([cli, *at, "bgrewriteaof"])
run([cli, *at, "save"])
recording.check(os.path.exists(os.path.join(scratch, "dump.rdb")), "nothing was saved")
subprocess.run([cli, *at, "shutdown", "nosave"], capture_output=True, timeout=60)
recording.finish(120)
recording.check(b"Ready to accept connections" in recording.out, "the server never got ready")
recording.replay()
