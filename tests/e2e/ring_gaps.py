"""A flight recorder of a program whose threads have to be stopped where no replay finds them."""

import os

from recording import TMREC, scratch
from ringing import manifest, replay, start, traces, words

GUEST = os.path.join(os.path.dirname(TMREC), "..", "tests", "guests", "jit_starves")

for name, options in (("handed", ()), ("stopped", ("--no-agent",))):
    base = os.path.join(scratch, name)
    tmrec = start(base, ["--ring", "2s", "--on-exit-failure", "--check", "20", *options], ["/bin/sh", "-c", f"'{GUEST}' 2; exit 3"])
    if tmrec.wait(100) != 3 or len(traces(base)) != 1:
        raise SystemExit(f"record ended with {tmrec.returncode}; {words(base)}")
    (trace,) = traces(base)
    if not any(note["what"].startswith("gap bridged") for note in manifest(trace)["notes"]):
        raise SystemExit(f"no gap: {manifest(trace)['notes']}")
    replay(trace, 3)
