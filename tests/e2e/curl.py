"""curl: downloads from a server outside the recording, uploads, and failures."""

import http.server
import threading

from recording import file, free_port, need, record_and_replay, scratch

curl = need("curl")
body = bytes(i * 7 % 256 for i in range(300_000))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, data):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.answer(200, body) if self.path == "/data" else self.answer(404, b"nothing here\n")

    def do_POST(self):
        self.answer(200, b"received %d" % len(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
quiet = [curl, "-s", "--max-time", "60"]

record_and_replay(quiet + ["-o", "download", url + "/data"])
with open(f"{scratch}/download", "rb") as f:
    assert f.read() == body, "downloaded something else"
record_and_replay(quiet + ["-D", "-", url + "/data", "-o", "/dev/null"], ["200 OK"])
record_and_replay(quiet + ["-f", url + "/missing"], status=22)
record_and_replay(quiet + ["--data-binary", "@" + file("upload", body), url + "/"], ["received 300000"])
record_and_replay(quiet + ["--parallel", url + "/data", "-o", "one", url + "/data", "-o", "two"])
server.shutdown()
server.server_close()
record_and_replay(quiet + [f"http://127.0.0.1:{free_port()}/"], status=7)
