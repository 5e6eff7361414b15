"""nginx: a master with two workers, curl as client, reload, graceful end."""

import os
import signal
import subprocess
import time

from recording import Recording, await_port, file, free_port, need, scratch

nginx, curl = need("/usr/sbin/nginx", "curl")
port = free_port()
for directory in ("html", "logs", "temp"):
    os.makedirs(os.path.join(scratch, directory))
file("html/index.html", "<h1>served</h1>\n")
file("html/large", b"0123456789abcdef" * 65536)
user = "user root;" if os.getuid() == 0 else ""
temporary = "".join(f"{kind}_temp_path {scratch}/temp/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
configuration = file("nginx.conf", f"""
{user} worker_processes 2; daemon off; pid {scratch}/nginx.pid; error_log {scratch}/logs/error.log notice;
events {{ worker_connections 64; }}
http {{ {temporary} access_log {scratch}/logs/access.log; sendfile on;
  server {{ listen 127.0.0.1:{port}; root {scratch}/html; location /gone {{ return 410; }} }} }}
""")
recording = Recording([nginx, "-p", scratch, "-c", configuration])
await_port(port)


def get(path, *options):
    done = subprocess.run([curl, "-s", "-S", "--max-time", "30", *options, f"http://127.0.0.1:{port}{path}"],
                          capture_output=True, timeout=60)
    recording.check(done.returncode == 0, f"curl {path}: {done.stderr!r}")
    return done.stdout


for _ in range(20):
    recording.check(get("/") == b"<h1>served</h1>\n", "another page was served")
recording.check(len(get("/large")) == 1 << 20, "the large file is not whole")
recording.check(get("/gone", "-o", "/dev/null", "-w", "%{http_code}") == b"410", "no 410")
with open(os.path.join(scratch, "nginx.pid")) as f:
    master = int(f.read())
os.kill(master, signal.SIGHUP)
time.sleep(1)
recording.check(get("/").startswith(b"<h1>"), "nothing served after the reload")
os.kill(master, signal.SIGQUIT)
recording.finish(60)
with open(os.path.join(scratch, "logs", "access.log")) as f:
    recording.check(len(f.readlines()) == 23, "not every request was logged")
recording.replay()
