"""A trace replays when program, data and directory are gone, under another user and another environment."""

import os
import shutil
import subprocess

from recording import TMREC, Recording, file, need, scratch

need("cat")
os.makedirs(os.path.join(scratch, "place"))
program = shutil.copy(shutil.which("cat"), os.path.join(scratch, "place", "own-cat"))
data = file("place/data", "data that will be gone\n" * 100)
private = os.path.join(scratch, "private")
os.mkdir(private)
os.chmod(private, 0o777)
recording = Recording([program, data, "/proc/self/status"], cwd=os.path.join(scratch, "place"),
                      environment={"TMREC_BLOB_DIR": os.path.join(private, "blobs"), "MARK": "recorded"}).finish()
recording.check(recording.out.startswith(b"data that will be gone\n" * 100), "printed something else")
shutil.rmtree(os.path.join(scratch, "place"))
recording.replay(cwd="/", env={"PATH": "/nonexistent", "LANG": "C"})

moved = shutil.move(recording.trace, os.path.join(private, "moved"))
if os.getuid() == 0:
    for directory, directories, files in os.walk(private):
        for name in ["", *directories, *files]:
            os.chown(os.path.join(directory, name), 65534, 65534)
    identity = {"user": 65534, "group": 65534, "extra_groups": []}
else:
    identity = {}
if os.access(TMREC, os.X_OK):
    copy = shutil.copy(TMREC, os.path.join(private, "tmrec"))
    os.chmod(copy, 0o755)
    done = subprocess.run([copy, "replay", "-a", moved], capture_output=True, timeout=120, cwd="/", env={"HOME": private}, **identity)
    recording.check(done.stdout == recording.out and done.returncode == 0,
                    f"another user's replay ended with {done.returncode}: {done.stderr[-500:]!r}")
