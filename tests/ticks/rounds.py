"""tests/stress --ticks: preempts and interrupts computing programs thousands of times and replays each of them.

A program passes as a guest does (tests/runner/guests.py): the same output natively, recorded and in two replays. Then the
events of its trace tell how often it was stopped in the middle of a computation for another task's turn, and how many
asynchronous signals its handlers got, at system calls and in computations.
"""

import collections
import json
import os
import shutil
import subprocess
import tempfile
import zlib

import guests
import processes
import programs

Counts = collections.namedtuple("Counts", "events preemptions signals in_computations")
ALARM_MICROSECONDS = 1000
# In turn, by round and program. With shorter ones a handler takes longer than it is until the next alarm.
SLICES = (1000, 5000, 2000)


def count(tmrec, trace):
    """What a replayed trace holds."""
    dump = subprocess.Popen([tmrec, "dump", "--json", trace], stdout=subprocess.PIPE, text=True)
    events = preemptions = signals = in_computations = 0
    computing = set()  # tasks that stand at a tick
    before = None
    for line in dump.stdout:
        event = json.loads(line)
        events += 1
        kind, text = event["kind"], event["text"]
        if kind == "switch" and before["kind"] == "tick" and before["tid"] == event["tid"]:
            preemptions += 1
        # A synchronous signal's text ends with the place of the instruction.
        if kind == "signal" and "-> handler" in text and " at 0x" not in text:
            signals += 1
            in_computations += event["tid"] in computing
        if kind == "tick":
            computing.add(event["tid"])
        elif kind != "switch":
            computing.discard(event["tid"])
        before = event
    if dump.wait() != 0:
        raise RuntimeError(f"tmrec dump {trace} failed")
    return Counts(events, preemptions, signals, in_computations)


def end_reason(tmrec, trace):
    answer = subprocess.run([tmrec, "info", "--json", trace], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(answer.stdout)["end_reason"]


def run_program(guest, seed, binaries, tmrec, scratch, blobs, keep):
    """Gives (counts or None, failure's text or None)."""
    processes.become_subreaper()
    root = tempfile.mkdtemp(prefix=f"{guest.name}-{seed}-", dir=scratch)
    place = guests.Place(root, [], blobs)
    place.make(None)
    slice_ticks = SLICES[(seed + zlib.crc32(guest.name.encode())) % len(SLICES)]
    text = guests.test(guest, binaries, tmrec, place, False, (f"--seed={seed}", "--check=5000", f"--slice={slice_ticks}"))
    counts = None
    if not text:
        counts = count(tmrec, place.trace)
        if reason := end_reason(tmrec, place.trace):
            text = f"the recording ended early: {reason}\n"
    if not (keep and text):
        shutil.rmtree(root, ignore_errors=True)
    return counts, text


def in_worker(arguments):
    guest, seed, *rest = arguments
    return (guest.name, seed, *run_program(guest, seed, *rest))


def chosen_programs(directory, build, names):
    """Pairs of a program and the directory it is in: real programs, and the guests that test ticks."""
    alarms = os.path.join(build, "tests", "ticks", "alarms.so")
    binaries = os.path.join(build, "tests", "guests")
    tree = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
    chosen = [(g, directory) for g in programs.make(directory, alarms, ALARM_MICROSECONDS, names)]
    every = guests.find(os.path.join(tree, "tests", "guests"), binaries)
    chosen += [(g, binaries) for g in every if g.name.startswith("tick_") and (not names or any(n in g.name for n in names))]
    return chosen


def print_table(totals):
    """A line per program, and one for all; gives the sum."""
    print(f"{'program':32}{'runs':>6}{'events':>10}{'preemptions':>13}{'signals':>10}{'in computations':>17}")
    for name in sorted(totals):
        runs, counts = totals[name]
        print(f"{name:32}{runs:6}{counts.events:10}{counts.preemptions:13}{counts.signals:10}{counts.in_computations:17}")
    total = Counts(*map(sum, zip(*(counts for _, counts in totals.values())))) if totals else Counts(0, 0, 0, 0)
    print(f"{len(totals):4} {'programs':27}{sum(r for r, _ in totals.values()):6}{total.events:10}{total.preemptions:13}"
          f"{total.signals:10}{total.in_computations:17}")
    return total


def run(rounds, first_seed, names, build, tmrec, pool, scratch, keep):
    """All programs, so many times. Gives the number of failures."""
    blobs, directory = os.path.join(scratch, "blobs"), os.path.join(scratch, "programs")
    os.mkdir(blobs, 0o700)
    os.mkdir(directory)
    chosen = chosen_programs(directory, build, names)
    totals, failures, desyncs = {}, 0, 0
    work = ((guest, seed, binaries, tmrec, scratch, blobs, keep)
            for seed in range(first_seed, first_seed + rounds) for guest, binaries in chosen)
    for name, seed, counts, text in pool.map(in_worker, work):
        if text:
            failures += 1
            desyncs += "desync" in text
            print(f"FAILED {name} seed {seed}\n  repeat: tests/stress --ticks 1 {name} --first-seed {seed}\n  {text.rstrip()}", flush=True)
        if counts:
            runs, before = totals.get(name, (0, Counts(0, 0, 0, 0)))
            totals[name] = (runs + 1, Counts(*map(sum, zip(before, counts))))
    total = print_table(totals)
    print(f"{total.preemptions} preemptions and {total.signals} asynchronous signals of {len(totals)} programs replayed, "
          f"{desyncs} desyncs, {failures - desyncs} other failures")
    return failures
