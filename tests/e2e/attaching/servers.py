"""Servers attached to under load: no client request fails, what was recorded replays, and the server goes on untouched.

ROUNDS in the environment says how often each is attached to."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from recording import await_port, file, free_port, scratch, skip

import databases
from attaching import Attachment, state_of

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = "2s"


class Load:
    """Client threads that ask again and again, until stopped; the first wrong answer is kept."""

    def __init__(self, ask, clients=4):
        self.failure, self.answers, self._stop = None, 0, False
        self._threads = [threading.Thread(target=self._run, args=(ask,), daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, ask):
        try:
            while not self._stop and not self.failure:
                ask()
                self.answers += 1
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"

    def stop(self):
        self._stop = True
        for thread in self._threads:
            thread.join(30)


def http_asker(port, path, wanted):
    local = threading.local()

    def ask():
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        local.connection.request("GET", path)
        answer = local.connection.getresponse()
        body = answer.read()
        if answer.status != 200 or wanted not in body:
            raise ValueError(f"answered {answer.status} {body[:100]!r}")

    return ask


def redis_asker(port):
    local = threading.local()

    def ask():
        if not hasattr(local, "socket"):
            local.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
            local.number = 0
        local.number += 1
        key = f"{threading.get_ident()}"
        local.socket.sendall(f"SET {key} {local.number}\r\nGET {key}\r\n".encode())
        wanted = b"+OK\r\n$%d\r\n%d\r\n" % (len(str(local.number)), local.number)
        got = b""
        while len(got) < len(wanted):
            more = local.socket.recv(4096)
            if not more:
                raise ValueError("the connection was closed")
            got += more
        if got != wanted:
            raise ValueError(f"answered {got!r} instead of {wanted!r}")

    return ask


POOL = """
import http.server, socketserver, threading, hashlib, concurrent.futures, sys
pool = concurrent.futures.ThreadPoolExecutor(20)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = pool.submit(lambda: hashlib.sha256(self.path.encode() * 300).hexdigest()).result().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

NODE = """
const http = require('http'), crypto = require('crypto');
http.createServer((q, r) => { setTimeout(() => r.end(crypto.createHash('sha256').update(q.url.repeat(300)).digest('hex')), 1); })
  .listen(+process.argv[2], '127.0.0.1');
"""

GO = """
package main
import ("crypto/sha256"; "fmt"; "net/http"; "os"; "strings")
func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		fmt.Fprintf(w, "%x", sha256.Sum256([]byte(strings.Repeat(q.URL.Path, 300))))
	})
	http.ListenAndServe("127.0.0.1:" + os.Args[1], nil)
}
"""


def sha(path):
    import hashlib
    return hashlib.sha256(path.encode() * 300).hexdigest().encode()


def redis(port):
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", scratch, "--save", ""], redis_asker(port)


def nginx(port):
    file("www/index.html", "the page " * 200)
    configuration = file("nginx.conf", f"""daemon off; worker_processes 2; pid {scratch}/nginx.pid; error_log {scratch}/nginx.log;
        events {{ }} http {{ access_log off; server {{ listen 127.0.0.1:{port}; root {scratch}/www; keepalive_requests 100000; }} }}""")
    return ["nginx", "-c", configuration, "-p", scratch], http_asker(port, "/index.html", b"the page the page")


def pool(port):
    return [sys.executable, file("pool.py", POOL), str(port)], http_asker(port, "/question", sha("/question"))


def node(port):
    return ["node", file("server.js", NODE), str(port)], http_asker(port, "/question", sha("/question"))


def go(port):
    if not shutil.which("go"):
        return ["go"], None
    source, program = file("server/main.go", GO), os.path.join(scratch, "goserver")
    if not os.path.exists(program):
        environment = dict(os.environ, GOFLAGS="-mod=mod", GO111MODULE="off", GOCACHE=os.path.join(scratch, "gocache"))
        subprocess.run(["go", "build", "-o", program, source], check=True, env=environment, timeout=280)
    return [program, str(port)], http_asker(port, "/question", sha("/question"))


def postgres(port):
    return databases.cluster(port), databases.asker(port)


def check(make):
    port = free_port()
    argv, ask = make(port)
    if not shutil.which(argv[0]) and not shutil.which(make.__name__):
        skip(f"{make.__name__} is not installed")
    log = open(os.path.join(scratch, f"{make.__name__}.log"), "wb")
    server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=scratch)
    try:
        await_port(port)
        before = state_of(server.pid)
        load = Load(ask)
        time.sleep(0.5)
        for number in range(ROUNDS):
            answered = load.answers
            attachment = Attachment(server.pid, ["--for", SECONDS])
            attachment.finish(600)  # planning node takes minutes on a busy machine
            time.sleep(0.3)
            if load.failure or server.poll() is not None:
                sys.exit(f"{make.__name__}, round {number + 1}: {load.failure or 'the server has ended'}")
            if load.answers == answered:
                sys.exit(f"{make.__name__}, round {number + 1}: no client was answered")
            now = state_of(server.pid)
            if now != before:
                sys.exit(f"{make.__name__}, round {number + 1}: the server has {now}, and had {before}; {attachment.notes()}")
            attachment.replay()
        load.stop()
        if load.failure:
            sys.exit(f"{make.__name__}: {load.failure}")
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGKILL)
            server.wait()
    if server.returncode not in (0, -signal.SIGTERM):
        sys.exit(f"{make.__name__} ended with {server.returncode}")
    print(f"{make.__name__}: {ROUNDS} rounds, {load.answers} answers", flush=True)
