"""A recording with gaps: where a thread was stopped that computed in code made at run time. Forwards and backwards over
them, and what `tmrec info` says of them."""

import os
import re
import subprocess

from debugging import TMREC, events, gdb, recorded, run_scenarios, scenario

GUEST = os.path.join(os.path.dirname(TMREC), "..", "tests", "guests", "jit_starves")
trace = recorded(GUEST, "2")
gaps = [number for number, what in events(trace) if "not replayed from here" in what]
starts = [number for number, what in events(trace) if what.startswith("a starting point")]


@scenario
def gaps_are_listed():
    said = subprocess.run([TMREC, "info", trace], capture_output=True, text=True, check=True).stdout
    found = [int(n) for n in re.findall(r"gap: .*the events from (\d+) on", said)]
    bridges = [int(n) for n in re.findall(r"gap bridged, at event (\d+)", said)]
    if not (found == gaps and bridges == starts and len(gaps) >= 2):
        raise SystemExit(f"{gaps} {starts}\n{said}")


@scenario
def there_and_back_over_a_gap():
    """What was there before the first gap is there again, and what the code did in the gaps is there behind them."""
    text = gdb(trace, "handle SIGUSR1 nostop noprint pass", "break on_usr1", "break main", "continue", "print page", "continue", "monitor when",
               "print page[0]", "print page[1]", "bt 1", "reverse-continue", "monitor when", "print page", "continue", "monitor when",
               "print page[0]", "print page[1]", "delete", "break success", "continue", "reverse-stepi", "stepi", "bt 1")
    text.expect("Breakpoint 2, main", r"^\$1 = \(unsigned char \*\) 0x0", "hit Breakpoint 1, on_usr1", r"^\$2 = 1 ", r"^\$3 = 2 ",
                "hit Breakpoint 2, main", "hit Breakpoint 1, on_usr1", r"^\$5 = 1 ", r"^\$6 = 2 ", "hit Breakpoint 3, success", "#0  success")
    places = re.findall(r"^position (\d+)\S*:", text, re.MULTILINE)
    if not (places[0] == places[2] and int(places[1]) < gaps[0] < starts[0] < int(places[0])):
        raise SystemExit(f"{places}, gaps at {gaps}\n{text}")


@scenario
def the_instruction_behind_a_gap():
    """The other side of a gap is as far back as single steps lead; a watchpoint finds what has changed in it."""
    text = gdb(trace, "handle SIGUSR1 nostop noprint pass", "break wait_for_bytes", "continue", "delete", "watch spinning", "continue", "monitor when",
               "reverse-continue", "monitor when", "continue", "monitor when", "info threads")
    text.expect("hit Breakpoint 1, wait_for_bytes", "hit Hardware watchpoint 2: spinning", "Thread ")
    places = re.findall(r"^position (\S+):", text, re.MULTILINE)
    if not (len(places) == 3 and places[0] == places[2] and places[1] != places[0]):
        raise SystemExit(f"{places}\n{text}")


run_scenarios()
