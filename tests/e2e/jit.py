"""Code that is made at run time, which makes no ticks: luajit's, pypy's, and that of node's worker threads. Where others
wait for too long, the recording ends cleanly, and the program goes on."""

from recording import Recording, file, need

LUA = """
local ffi = require('ffi')
ffi.cdef('int getpid(void); struct timespec { long s, ns; }; int clock_gettime(int, struct timespec*);')
local function mandelbrot(size)
  local inside = 0
  for y = 0, size - 1 do
    for x = 0, size - 1 do
      local cr, ci, zr, zi, n = 2.5 * x / size - 2, 2 * y / size - 1, 0, 0, 0
      while n < 50 and zr * zr + zi * zi < 4 do zr, zi, n = zr * zr - zi * zi + cr, 2 * zr * zi + ci, n + 1 end
      if n == 50 then inside = inside + 1 end
    end
  end
  return inside
end
local now = ffi.new('struct timespec')
for round = 1, 5 do
  ffi.C.clock_gettime(0, now)
  print(round, mandelbrot(150 + round), tonumber(now.ns), ffi.C.getpid(), os.clock())
end
local parts = {}
for i = 1, 20000 do parts[#parts + 1] = tostring(i * i % 7) end
print(#table.concat(parts), 'lua-done')
"""

PYPY = """
import hashlib, random, signal, subprocess, threading, time
alarms = []
signal.signal(signal.SIGALRM, lambda *_: alarms.append(time.time()))
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
def work(n):
    total = 0
    for i in range(400000): total = (total * 31 + i * n) % 1000003
    return total
results = {}
threads = [threading.Thread(target=lambda n=n: results.__setitem__(n, work(n))) for n in range(3)]
for t in threads: t.start()
for t in threads: t.join()
signal.setitimer(signal.ITIMER_REAL, 0)
print(sorted(results.items()), len(alarms), random.random(), time.time())
print(subprocess.run(["echo", "child"], capture_output=True).stdout, hashlib.md5(str(results).encode()).hexdigest(), "pypy-done")
"""

NODE = """
const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
if (!isMainThread) {
  let sum = 0;
  for (let i = 0; i < 3e6; i++) sum = (sum * 31 + i * workerData) % 1000003;
  parentPort.postMessage([workerData, sum, process.hrtime()[1]]);
} else {
  let left = 3;
  for (let n = 1; n <= 3; n++) {
    new Worker(__filename, { workerData: n }).on('message', m => console.log('worker', ...m))
      .on('exit', () => { if (--left === 0) console.log('node-done'); });
  }
}
"""

for program, name, source in (("luajit", "script.lua", LUA), ("pypy3", "script.py", PYPY), ("node", "workers.js", NODE)):
    recording = Recording([need(program), file(name, source)]).finish(200)
    recording.check(b"-done\n" in recording.out, "did not get to its end")
    recording.replay(may_end_early=True)
    print(program, "recorded", "to the point where others wait" if recording.err else "to the end")
