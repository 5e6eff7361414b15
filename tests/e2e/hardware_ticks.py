"""Ticks from a source that interrupts late and anywhere: the one for tests, which steps; a hardware counter where there is one."""

import json
import os
import re

from cli_support import TMREC, check, tmrec, traces

GUESTS = os.path.join(os.path.dirname(TMREC), "..", "tests", "guests")


def info(trace):
    return json.loads(tmrec("info", "--json", trace).exits(0).silent().out)


def repeat(name, guest, *options, source, rounds=1, seconds=100):
    done = tmrec("record", "-q", "--name", name, *options, os.path.join(GUESTS, guest), seconds=seconds).exits(0)
    done.expect(done.out.endswith("EXIT-SUCCESS\n"), "did not come to its end")
    said = info(name + "-1")
    check(said["end_reason"] == "" and said["tick_source"].startswith(source), f"{guest}: {said}")
    for _ in range(rounds):
        tmrec("replay", "-a", name + "-1", seconds=seconds).exits(0).prints(done.out)
    tmrec("dump", name + "-1").exits(0)
    return said["ticks"]


# Preemptions, signals in the middle of computations, beside a thread that blocks the counter's signal.
ticks = repeat("small", "tick_small.static", "--ticks=stepped", "--slice=300", "--check=20", source="stepped", rounds=2)
check(ticks["preemptions"] >= 5 and ticks["signals"] >= 5, f"tasks were not stopped: {ticks}")
# No ticks are counted in code; what must be recorded in place is patched all the same.
check(all(m["back_edges"]["all"] == 0 for m in ticks["modules"]), f"patched for ticks: {ticks['modules']}")
repeat("clock", "time_rdtsc.static", "--ticks=stepped", "--slice=500", source="stepped")
repeat("exec", "proc_exec_self.static", "--ticks=stepped", "--slice=200", source="stepped")
repeat("threads", "thread_cond.static", "--ticks=stepped", "--slice=300", "--chaos", "--seed=7", source="stepped")
repeat("processes", "proc_fork_threads.static", "--ticks=stepped", "--slice=300", source="stepped")
# Threads that end with all signals blocked.
repeat("bursts", "thread_burst.static", "--ticks=stepped", "--slice=500", source="stepped")

# A counter that this machine has not got.
manifest = os.path.join(traces, "small-1", "manifest.json")
with open(manifest, encoding="utf-8") as f:
    text = f.read()
with open(manifest, "w", encoding="utf-8") as f:
    f.write(re.sub(r'("tick_source": *)"stepped"', r'\1"pmu:of-another-cpu"', text))
done = tmrec("replay", "-a", "small-1")
done.expect(done.status == 4 and "of-another-cpu" in done.err and done.err.count("\n") == 1, "another CPU's counter is not refused in one line")
check(any("of-another-cpu" in doubt for doubt in info("small-1")["doubts"]), "info does not say that its replay needs a counter")
with open(manifest, "w", encoding="utf-8") as f:
    f.write(re.sub(r'("tick_source": *)"stepped"', r'\1"sundial"', text))
tmrec("replay", "-a", "small-1").exits(2)

works = "no hardware counter" not in tmrec("doctor").out
if works:
    repeat("real", "tick_small", "--ticks=pmu", "--slice=300", source="pmu:")
    repeat("threads", "tick_goto", source="pmu:")
else:
    done = tmrec("record", "--ticks=pmu", "true").exits(4)
    done.expect("no hardware counter that works" in done.err, "does not say why")
    repeat("automatic", "cpu_chance", source="software")
tmrec("record", "--ticks=sundial", "true").exits(2)
