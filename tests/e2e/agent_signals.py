"""A signal at each instruction of the agent in turn, while it makes calls of every class that a signal interrupts in
its own way; with a handler that has calls made again, and one that has not. `ROUNDS` of the environment: as many."""

import json
import os

from cli_support import TMREC, check, tmrec

ROUNDS = os.environ.get("ROUNDS", "4000")
PROBED = os.path.join(os.path.dirname(TMREC), "../tests/guests/agent_probed")


def ran(*arguments):
    done = tmrec(*arguments, seconds=1000).exits(0)
    check(f"= waits {ROUNDS}\n" in done.out and done.out.endswith("EXIT-SUCCESS\n"), done.out)


for restarts in ("1", "0"):
    name = f"probed-{restarts}"
    ran("record", "-q", "--name", name, "--agent-after=1", "--check=500", "--probe-agent=10", PROBED, ROUNDS, restarts)
    ran("replay", "-a", f"{name}-1")
    notes = {n["what"]: n["count"] for n in json.loads(tmrec("info", "--json", f"{name}-1").exits(0).out)["notes"]}
    check(notes.get("signals sent within the agent", 0) > 300, f"notes: {notes}")
