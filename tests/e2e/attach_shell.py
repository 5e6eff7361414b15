"""Attaching to a shell that does nothing but start programs, by vfork: in most moments it waits for one to begin.

It ends when one of them fails."""

import subprocess

from attaching import Attachment

ROUNDS = 8

shell = subprocess.Popen(["sh", "-c", "trap 'exit 6' TERM; while /bin/true; do :; done; exit 1"], stdin=subprocess.DEVNULL, start_new_session=True)
try:
    for number in range(ROUNDS):
        attachment = Attachment(shell.pid, ["--for", "60ms"]).finish()
        if shell.poll() is not None:
            raise SystemExit(f"the shell ended with {shell.returncode} in round {number}")
        attachment.replay()
    shell.terminate()
    status = shell.wait(60)
    if status != 6:
        raise SystemExit(f"the shell ended with {status}")
finally:
    shell.kill()
    shell.wait()
print(f"{ROUNDS} rounds")
