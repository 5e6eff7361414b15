"""node: timers, files, a child process, a server and its client. Where it needs preemption, the recording ends cleanly."""

from recording import Recording, file, need

SCRIPT = """
const http = require('http'), fs = require('fs'), cp = require('child_process'), crypto = require('crypto');
console.log('pid', process.pid, crypto.randomBytes(8).toString('hex'), Date.now(), Math.random());
setTimeout(() => console.log('timer', process.hrtime()), 10);
fs.promises.readFile(__filename).then(b => console.log('read', b.length));
const child = cp.spawnSync('echo', ['child']); console.log(child.stdout.toString().trim());
const server = http.createServer((q, a) => a.end('answer ' + q.url)).listen(0, '127.0.0.1', () => {
  http.get({port: server.address().port, host: '127.0.0.1', path: '/x', agent: false}, r => {
    r.on('data', d => console.log(d.toString())); r.on('end', () => { server.close(); console.log('node-done'); });
  });
});
"""
recording = Recording([need("node"), file("script.js", SCRIPT)]).finish(200)
for text in (b"child", b"answer /x", b"timer", b"node-done"):
    recording.check(text in recording.out, f"printed no {text}")
recording.replay(may_end_early=True)
