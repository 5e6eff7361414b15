"""CPython: threads, subprocess, asyncio, sockets, multiprocessing, signals, mmap."""

from recording import file, need, record_and_replay

python = need("/usr/bin/python3")

THREADS = """
import threading, queue, random, time
q, results, lock = queue.Queue(), [], threading.Lock()
def work(n):
    while (item := q.get()) is not None:
        time.sleep(random.random() / 500)
        with lock:
            results.append((item * item, n))
workers = [threading.Thread(target=work, args=(n,)) for n in range(5)]
[w.start() for w in workers]
for i in range(60): q.put(i)
for _ in workers: q.put(None)
[w.join() for w in workers]
print(results)
assert sum(r for r, _ in results) == sum(i * i for i in range(60))
e = threading.Event(); t = threading.Timer(0.02, e.set); t.start(); assert e.wait(5)
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool: print(sum(pool.map(lambda x: x * 3, range(50))))
print("threads-done", time.time(), threading.get_native_id())
"""

SUBPROCESS = """
import subprocess, os, tempfile, signal
print(subprocess.run(["sh", "-c", "cat; echo $$; exit 5"], input=b"given", capture_output=True))
a = subprocess.Popen(["seq", "1000"], stdout=subprocess.PIPE)
b = subprocess.Popen(["tail", "-1"], stdin=a.stdout, stdout=subprocess.PIPE); a.stdout.close()
print(b.communicate()[0], a.wait())
p = subprocess.Popen(["sleep", "20"]); p.send_signal(signal.SIGTERM); print(p.wait())
try: subprocess.run(["sleep", "10"], timeout=0.1)
except subprocess.TimeoutExpired as e: print(e)
pid = os.fork()
if pid == 0: os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.getpid())
with tempfile.TemporaryDirectory() as d: print(d, os.listdir(d))
print("subprocess-done")
"""

ASYNCIO = """
import asyncio, random
async def handle(r, w):
    while line := await r.readline(): w.write(line.upper()); await w.drain()
    w.close()
async def client(port, n):
    r, w = await asyncio.open_connection("127.0.0.1", port)
    for i in range(5):
        w.write(f"client {n} line {i}\\n".encode()); print((await r.readline()).decode().strip())
        await asyncio.sleep(random.random() / 300)
    w.close(); await w.wait_closed()
async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(30): await asyncio.gather(*(client(port, n) for n in range(6)))
    p = await asyncio.create_subprocess_exec("echo", "from a child", stdout=asyncio.subprocess.PIPE)
    print((await p.communicate())[0]); server.close(); await server.wait_closed()
    print("asyncio-done", port)
asyncio.run(main())
"""

SOCKETS = """
import socket, threading, select, os, struct, array
def serve(s):
    for _ in range(4):
        c, a = s.accept()
        with c: c.sendall(c.recv(100)[::-1])
s = socket.create_server(("127.0.0.1", 0)); t = threading.Thread(target=serve, args=(s,)); t.start()
for i in range(4):
    with socket.create_connection(s.getsockname()) as c: c.sendall(b"abc%d" % i); print(c.recv(100), c.getsockname())
t.join()
a, b = socket.socketpair(); r, w = os.pipe(); os.write(w, b"passed")
socket.send_fds(a, [b"x"], [r]); m, fds, _, _ = socket.recv_fds(b, 10, 5); print(os.read(fds[0], 10))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0)); u.sendto(b"d", u.getsockname())
print(select.select([u], [], [], 5)[0] == [u], u.recvfrom(10)); print("sockets-done")
"""

PROCESSES = """
import multiprocessing as mp, signal, mmap, os, time, random, hashlib
def square(x): return x * x, os.getpid()
if __name__ == "__main__":
    with mp.Pool(3) as pool: print(sum(r for r, _ in pool.map(square, range(40))))
    shared = mmap.mmap(-1, 4096)
    if os.fork() == 0: shared[0:5] = b"child"; os._exit(0)
    os.wait(); print(bytes(shared[0:5]))
    signal.signal(signal.SIGALRM, lambda *a: print("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.02); time.sleep(0.1)
    print(hashlib.sha256(os.urandom(1000)).hexdigest(), random.random(), hash("salted"), id(object()))
    print("processes-done")
"""

for name, text in (("threads", THREADS), ("subprocess", SUBPROCESS), ("asyncio", ASYNCIO), ("sockets", SOCKETS),
                   ("processes", PROCESSES)):
    record_and_replay([python, file(f"test_{name}.py", text)], [f"{name}-done"])
record_and_replay([python, "-c", "raise SystemExit(41)"], status=41)
record_and_replay([python, "-c", "1/0"], status=1)
record_and_replay([python, "-X", "faulthandler", "-c", "import ctypes; ctypes.string_at(0)"], status=128 + 11)
