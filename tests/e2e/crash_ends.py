"""What ends a recording early: a full disk, a trace that is deleted, a task that starves others, a 32-bit call. The program
does not notice; the user is told in one line, and what was recorded replays."""

import os
import resource
import shutil
import subprocess
import sys

from recording import TMREC, file, need, own_words, scratch

compiler = need("cc")


def compiled(name, source, *options):
    path = os.path.join(scratch, name)
    subprocess.run([compiler, "-O1", "-o", path, file(name + ".c", source), *options], check=True)
    return path


def fail(name, what, done):
    sys.exit(f"{name}: {what}\n  status {done.returncode}\n  stdout {done.stdout[-300:]!r}\n  stderr {done.stderr[-1500:]!r}")


def complaints(text):
    return [line for line in own_words(text) if not line.startswith(b"tmrec: recording to ")]


def expect_end(name, done, status, out, *words):
    """The program did its work, and one line says why the recording ended."""
    if (done.returncode, done.stdout) != (status, out):
        fail(name, "the program went wrong", done)
    lines = complaints(done.stderr)
    if len(lines) != 1 or not any(word in lines[0] for word in words):
        fail(name, f"no single line that says {words}", done)


def expect_replay(name, trace, out):
    done = subprocess.run([TMREC, "replay", "-a", trace], capture_output=True, timeout=100)
    if b"desync" in done.stderr or done.returncode in (2, 3) or not out.startswith(done.stdout):
        fail(name, "the replay of what was recorded went wrong", done)


def record(name, argv, **options):
    return subprocess.run([TMREC, "record", "-o", os.path.join(scratch, name), "--", *argv], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=120, cwd=scratch, **options)


# Random bytes do not compress: the log grows with what the program reads, and it reads 8 MiB.
READER = compiled("reader", r"""
#include <stdio.h>
#include <fcntl.h>
#include <unistd.h>
static char buffer[1 << 16];
int main(void) {
  puts("started");
  fflush(stdout);
  int fd = open("/dev/urandom", O_RDONLY);
  long sum = 0;
  for (int i = 0; i < 128; ++i) { sum += read(fd, buffer, sizeof buffer); if (i % 16 == 0) usleep(100000); }
  printf("read %ld\n", sum);
  return 6;
}
""")
READ = b"started\nread 8388608\n"


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))


done = record("limited", [READER], preexec_fn=limit_files)
expect_end("file size limit", done, 6, READ, b"File too large")
expect_replay("file size limit", os.path.join(scratch, "limited"), done.stdout)

if os.getuid() == 0:
    disk = os.path.join(scratch, "disk")
    os.mkdir(disk)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk], capture_output=True).returncode == 0:
        try:
            done = record("disk/trace", [READER])
            expect_end("full disk", done, 6, READ, b"No space left")
            expect_replay("full disk", os.path.join(disk, "trace"), done.stdout)
        finally:
            subprocess.run(["umount", disk], check=True)

# The trace is deleted under the recorder.
trace = os.path.join(scratch, "deleted")
front = subprocess.Popen([TMREC, "record", "-o", trace, "--", READER], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, cwd=scratch)
started = front.stdout.readline()
shutil.rmtree(trace)
out, err = front.communicate(timeout=60)
if (front.returncode, started + out) != (6, READ) or len(complaints(err)) != 1:
    sys.exit(f"deleted trace: {front.returncode} {out!r} {err!r}")

# Code made at run time counts no ticks. With an argument, the thread that it starves shares the recording with a
# process that job control has stopped, and that never comes to rest.
STARVING = compiled("starving-program", r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile int stop;
static const unsigned char kCode[] = {0x83, 0x3f, 0x00, 0x74, 0xfb, 0xc3};  // 1: cmpl $0,(%rdi); je 1b; ret
static void* compute(void* code) { ((void (*)(volatile int*))code)(&stop); return code; }
int main(int argc, char** argv) {
  pthread_t thread;
  pid_t stopped = argc > 1 ? fork() : 0;
  if (argc > 1 && stopped == 0) raise(SIGSTOP), _exit(0);
  if (stopped != 0) waitpid(stopped, 0, WUNTRACED);
  (void)argv;
  void* code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(code, kCode, sizeof kCode);
  puts("started");
  fflush(stdout);
  pthread_create(&thread, 0, compute, code);
  for (int i = 0; i < 5; ++i) usleep(1000);
  stop = 1;
  pthread_join(thread, 0);
  if (stopped != 0) kill(stopped, SIGKILL), waitpid(stopped, 0, 0);
  puts("finished");
  return 5;
}
""", "-pthread")
done = record("starving", [STARVING, "beside a stopped process"])
expect_end("starvation", done, 5, b"started\nfinished\n", b"does not come to rest")
expect_replay("starvation", os.path.join(scratch, "starving"), done.stdout)
done = record("bridged", [STARVING])
if (done.returncode, done.stdout, complaints(done.stderr)) != (5, b"started\nfinished\n", []):
    fail("bridged", "the recording did not go on", done)
expect_replay("bridged", os.path.join(scratch, "bridged"), done.stdout)

OLD_CALL = compiled("old-call-program", r"""
#include <stdio.h>
int main(void) {
  long pid = 20;
  puts("started");
  fflush(stdout);
  __asm__ volatile("int $0x80" : "+a"(pid) : : "memory", "r8", "r9", "r10", "r11");
  puts(pid > 0 || pid == -38 ? "finished" : "failed");
  return 4;
}
""")
done = record("old-call", [OLD_CALL])
expect_end("32-bit call", done, 4, b"started\nfinished\n", b"32-bit")
expect_replay("32-bit call", os.path.join(scratch, "old-call"), done.stdout)
