"""Attaching to a shell that does nothing but start programs, by vfork: in most moments it waits for one to begin."""

import subprocess

from attaching import Attachment

ROUNDS = 8

shell = subprocess.Popen(["sh", "-c", "trap 'exit 6' TERM; while :; do /bin/true; done"], stdin=subprocess.DEVNULL, start_new_session=True)
try:
    for _ in range(ROUNDS):
        Attachment(shell.pid, ["--for", "60ms"]).finish().replay()
    shell.terminate()
    status = shell.wait(60)
    if status != 6:
        raise SystemExit(f"the shell ended with {status}")
finally:
    shell.kill()
    shell.wait()
print(f"{ROUNDS} rounds")
