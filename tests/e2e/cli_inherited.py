"""record: the program inherits what tmrec got, and tmrec itself works whatever that is."""

import os
import resource
import signal
import subprocess

from cli_support import TMREC, check, environment, tmrec

# All of it shows in /proc/self: signals ignored and blocked, limits, open descriptors.
LOOK = ["sh", "-c", "grep -E '^(Sig(Ign|Blk)|Shd|NoNewPrivs|Umask)' /proc/self/status; cat /proc/self/limits; ls /proc/self/fd; "
        "ulimit -a; nice; exit 5"]


def run(prepare, *closed):
    def before():
        prepare()
        for fd in closed:
            os.close(fd)

    def once(words):
        done = subprocess.run(words, preexec_fn=before, env=environment, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    native, recorded = once(LOOK), once([TMREC, "record", "-q", "--", *LOOK])
    check(native[0] == recorded[0], f"{prepare.__name__} {closed}: {native[0]} and {recorded[0]}")
    check(native[1] == recorded[1], f"{prepare.__name__} {closed}: natively\n{native[1]}\nrecorded\n{recorded[1]}")
    check(native[2] == recorded[2], f"{prepare.__name__} {closed}: natively\n{native[2]}\nrecorded\n{recorded[2]}")
    tmrec("replay", "--verify").exits(0)


def nothing():
    pass


def signals():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM, signal.SIGUSR1, signal.SIGCHLD])


def limits():
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 4096))
    resource.setrlimit(resource.RLIMIT_CPU, (1, 100))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 40))
    os.nice(3)
    os.umask(0o177)


run(nothing)
run(signals)
run(limits)
run(nothing, 0)
run(nothing, 1)
run(nothing, 2)
run(nothing, 0, 1, 2)
