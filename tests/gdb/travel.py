"""Going to places: when, seek, seek-time, checkpoints, and bookmarks, which the next session finds."""

import functools
import os
import re
import sys

from debugging import Client, compiled, gdb, recorded, refused, run_scenarios, scenario

PROGRAM = r"""
#include <stdio.h>
#include <unistd.h>
static volatile int rounds;
static void turn(int n) { rounds = n; }
int main(void) {
  for (int i = 0; i < 40; i++) { turn(i); write(1, "x", 1); usleep(1000); }
  return 7;
}
"""

trace = recorded(compiled(PROGRAM), status=7)


@functools.cache
def tour():
    """A place in the middle, as gdb tells of it, and a bookmark there."""
    return gdb(trace, "when", "break turn if n == 20", "continue", "when", "checkpoint half-way", "bookmark half of it", "print n", "seek end",
               "print rounds", "restart 1", "print n", "bt 1", "seek begin", "info checkpoints", "goto-bookmark half of it", "print n", "stepi", "when",
               "delete checkpoint 1", "info checkpoints", "restart", "print $pc")


def half():
    return re.search(r"Bookmark 'half of it' at (\S+)", tour())[1]


@scenario
def checkpoints_and_seek():
    tour().expect(r"position (\S+): after event", "recorded between 0", "Breakpoint 1, turn", r"position (\S+):", r"Checkpoint 1 at \d+",
                "Bookmark 'half of it' at", r"\$1 = 20", r"\$2 = 39", r"\$3 = 20", "#0  turn .n=20", "_start", "  1 .* half-way", r"turn .n=20",
                r"\$4 = 20", r"position ", "No checkpoints", r"\$5 = .*_start")


@scenario
def bookmarks_are_there_in_the_next_session():
    gdb(trace, "info bookmarks", "goto-bookmark half of it", "print n", "when", f"seek {half()}", "print n", "bookmark other", "delete bookmark other",
        "info bookmarks").expect(re.escape(half()) + "  half of it", r"\$1 = 20", "position " + re.escape(half()) + ":", r"\$2 = 20", "Bookmark 'other'",
                                 "half of it").never("^" + re.escape(half()) + "  other")


@scenario
def times_are_gone_to():
    moment = float(re.findall(r"recorded between (\S+)", tour())[1])
    gdb(trace, f"seek-time {moment:.6f}", "print rounds", "seek-time 0", "print $pc", "seek-time 1000", "print rounds").expect(
        r"\$1 = (19|20)", r"\$2 = .*_start", r"\$3 = 39")
    clock = re.findall(r"s after the start, (\S+ \S+) to", tour())[1]
    gdb(trace, f"seek-time {clock}", "print rounds").expect(r"\$1 = (19|20)")


@scenario
def places_that_are_none():
    for command, reason in {
            "seek": "seek EVENT", "seek x": "seek EVENT", "seek 1.2.3.4": "seek EVENT", "seek 999999": "no event 999999",
            "seek 30.99999999999.1": "no position", "seek-time": "seek-time SECONDS", "seek-time 25:61:00": "seek-time SECONDS",
            "restart 1": "no checkpoint '1'", "goto-bookmark nothing": "no bookmark 'nothing'", "last": "whose last write",
            "last $rax": "not in memory", "last 5": "not in memory"}.items():
        refused(trace, command, reason)


@scenario
def help_for_each_command():
    for command in ("when", "seek", "seek-time", "last", "checkpoint", "restart", "info checkpoints", "delete checkpoint", "bookmark",
                    "goto-bookmark", "info bookmarks", "delete bookmark"):
        gdb(trace, "help " + command).expect(r"Usage: " + command)


@scenario
def a_damaged_file_of_bookmarks():
    half()
    with open(os.path.join(trace, "bookmarks"), "a") as f:
        f.write("nonsense\n")
    gdb(trace, "info bookmarks").expect("line 2 is no bookmark")
    os.remove(os.path.join(trace, "bookmarks"))


@scenario
def commands_by_the_protocol_alone():
    client = Client(trace)
    for command in ("last", "last 0x", "last 1,0", "last 1,99999999999", "last 0xffffffffffffffff,8", "seek 1.1.1.1", "restart -1",
                    "delete-checkpoint 7", "bookmark", "bookmark \x01", "on-resume nonsense"):
        client.monitor(command)
    client.ask("bc")
    if "not a command" not in client.monitor("outcome"):
        sys.exit("an errand that is none got an outcome of " + client.monitor("outcome"))
    client.close()


run_scenarios()
