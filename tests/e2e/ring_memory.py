"""Starting points of a program with much memory, which is copied by a fork that the program cannot see: replays that begin there."""

import os
import shutil
import sys

from recording import TMREC, scratch
from ringing import manifest, replay, segments, start, traces, words

GUEST = os.path.join(os.path.dirname(TMREC), "..", "tests", "guests", "attach_memory")
base = os.path.join(scratch, "traces")
tmrec = start(base, ["--ring", "1h", "--on-exit-failure", "--starting-points", "300", "--check", "200"],
              ["/bin/sh", "-c", f"'{GUEST}' 2 >guest.out 2>&1 || exit 4; exit 3"])
if tmrec.wait(200) != 3:
    sys.exit(f"the program ended with {tmrec.returncode}; {words(base)}")
(trace,) = traces(base)
if not any(note["what"] == "memory copied by fork" for note in manifest(trace)["notes"]):
    sys.exit(f"nothing was copied by fork: {manifest(trace)['notes']}")
parts = segments(trace)
if len(parts) < 2:
    sys.exit("no starting points")
replay(trace, 3)
for first in {1, len(parts) // 2, len(parts) - 1}:
    cut = os.path.join(base, "cut")
    shutil.copytree(trace, cut)
    for segment in parts[:first]:
        os.remove(os.path.join(cut, "log", segment))
    replay(cut, 3)
    shutil.rmtree(cut)
print(f"{len(parts) - 1} starting points")
