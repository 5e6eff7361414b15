"""gdb's own commands to go back and to go on: over recursion, loops, breakpoints, watchpoints and conditions, to both ends of history."""

import re
import subprocess
import sys

from debugging import Client, compiled, gdb, recorded, run_scenarios, scenario

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static volatile long total, seen, table[8];
static int fib(int n) {
  if (n < 2)
    return n;
  int left = fib(n - 1);
  int right = fib(n - 2);
  return left + right;
}
static void fill(void) {
  for (int i = 0; i < 8; i++)
    table[i] = i * i;
  seen = table[3];
}
static int compare(const void* a, const void* b) {
  return *(const int*)a - *(const int*)b;
}
int main(void) {
  int numbers[] = {5, 3, 9, 1};
  int first = fib(6);
  total = first;
  fill();
  qsort(numbers, 4, sizeof *numbers, compare);
  int second = fib(7);
  total += second;
  printf("%ld\n", total);
  return 0;
}
"""

program = compiled(PROGRAM)
trace = recorded(program)
LINE = {text.strip(): number for number, text in enumerate(PROGRAM.split("\n"), 1)}


@scenario
def reverse_next_goes_over_a_recursion():
    gdb(trace, f"break {LINE['fill();']}", "continue", "print total", "reverse-next", "reverse-next", "print $_exitcode", "bt", "reverse-next", "info locals").expect(
        "Breakpoint 1, main", r"\$1 = 8", "total = first", r"int first = fib\(6\)", "#0  main", "int numbers").never("fib .n=")


@scenario
def reverse_step_goes_into_a_recursion():
    gdb(trace, f"break {LINE['total = first;']}", "continue", "reverse-step", "bt", "reverse-step", "reverse-step", "bt 1").expect(
        "Breakpoint 1, main", r"#0 +fib \(n=6\)", "#1 .*main", "#0 +fib|fib .n=")


@scenario
def reverse_finish_leads_to_the_call():
    gdb(trace, "break fib if n == 0", "continue", "bt", "reverse-finish", "bt 1", "x/i $pc", "delete", "break fill", "continue", "reverse-finish", "bt 1", "x/i $pc").expect(
        r"fib \(n=0\)", r"#6 .*main|main", r"#0 .*fib \(n=2\)", "=> .*call", "#0 .*main", "=> .*call")


@scenario
def finish_out_of_a_recursion_and_back_into_it():
    gdb(trace, "break fib if n == 3", "continue", "delete", "finish", "print $", "reverse-finish", "bt 1", "stepi", "reverse-stepi").expect(
        r"fib \(n=3\)", "Value returned is .* = 2", r"= 2", r"#0 .*fib \(n=4\)|#0 .*fib \(n=3\)")


@scenario
def next_stays_in_its_frame_of_a_recursion():
    gdb(trace, "break fib if n == 5", "continue", "delete", "next", "next", "print n", "print left", "next", "print right", "reverse-next", "reverse-next", "print n",
        "bt 2").expect(r"fib \(n=5\)", r"\$1 = 5", r"\$3 = 2|\$2 = 3", r"= 5", r"#0 .*fib \(n=5\)")


@scenario
def until_leaves_a_loop():
    gdb(trace, "break fill", "continue", "next", "next", "until", "next", "until", "print seen", "bt 1").expect(
        "Breakpoint 1, fill", "table.i. = i", r"\$1 = (0|9)", "#0 .*(fill|main)")


@scenario
def until_a_line_and_advance():
    gdb(trace, "break main", "continue", f"until {LINE['fill();']}", "print total", f"advance {LINE['total += second;']}", "print second").expect(
        "Breakpoint 1, main", r"\$1 = 8", r"\$2 = 13")


@scenario
def a_temporary_breakpoint_stops_once():
    gdb(trace, "tbreak compare", "continue", "info breakpoints", "tbreak fill", "reverse-continue", "info breakpoints", "bt -1").expect(
        "Temporary breakpoint 1, ", "No breakpoints", "Temporary breakpoint 2, ", "No breakpoints", "main")


@scenario
def an_ignore_count():
    gdb(trace, "break fib", "ignore 1 24", "continue", "info breakpoints", "bt -1", "reverse-continue", "info breakpoints").expect(
        "Breakpoint 1, fib", "already hit 25 times", "main", "already hit 26 times")


@scenario
def conditions_backwards():
    gdb(trace, f"break {LINE['total += second;']}", "continue", "break fib if n == 7", "reverse-continue", "print n", "delete", "break fib if n == 6",
        "reverse-continue", "bt", "reverse-continue").expect(
            r"fib \(n=7\)", r"\$1 = 7", r"#0 .*fib \(n=6\)", "#1 .*main", "No more reverse-execution history")


@scenario
def a_write_watchpoint_there_and_back():
    gdb(trace, "watch total", "continue", "continue", "reverse-continue", "reverse-continue", "reverse-continue").expect(
        "Old value = 0\nNew value = 8", "Old value = 8\nNew value = 21", "Old value = 21\nNew value = 8", "Old value = 8\nNew value = 0",
        "No more reverse-execution history")


@scenario
def a_read_watchpoint_backwards():
    gdb(trace, f"break {LINE['total += second;']}", "continue", "rwatch table[3]", "reverse-continue", "bt 1", "x/i $pc", "reverse-continue").expect(
        "Hardware read watchpoint 2: table", "Value = 9", "#0 .*fill", "=> .*mov", "No more reverse-execution history")


@scenario
def an_access_watchpoint_backwards():
    text = gdb(trace, f"break {LINE['total += second;']}", "continue", "awatch table[3]", "reverse-continue", "print seen", "reverse-continue", "print table[3]",
               "reverse-continue")
    text.expect("Hardware access .*watchpoint 2", r"\$1 = 0", r"\$2 = 0", "No more reverse-execution history")


@scenario
def a_watchpoint_with_a_condition():
    gdb(trace, "watch table[5] if table[5] > 20", "continue", "print table[4]", "print table[6]", "reverse-continue").expect(
        "New value = 25", r"\$1 = 16", r"\$2 = 0", "No more reverse-execution history|Old value = 25")


@scenario
def many_watchpoints_at_once():
    """More than there are debug registers."""
    watches = [f"watch table[{i}]" for i in range(1, 7)]
    text = gdb(trace, "break fill", "continue", *watches, *["continue"] * 6, *["reverse-continue"] * 6)
    values = re.findall(r"^(?:Old|New) value = (\d+)$", text, re.MULTILINE)
    squares = [i * i for i in range(1, 7)]
    expected = [str(v) for s in squares for v in (0, s)] + [str(v) for s in squares[::-1] for v in (s, 0)]
    if values != expected:
        sys.exit(f"{values} instead of {expected}\n{text}")


@scenario
def a_local_variable_is_watched_out_of_its_scope():
    gdb(trace, "break fib if n == 6", "continue", "next", "next", "watch right", "continue", "continue", "bt 1").expect(
        "watchpoint 2: right", "New value = 3", "left the block", "#0 .*(main|fib)")


@scenario
def the_start_of_history():
    gdb(trace, "reverse-stepi", "reverse-continue", "reverse-next", "stepi", "reverse-stepi", "reverse-stepi", "when").expect(
        "No more reverse-execution history", "No more reverse-execution history", "No more reverse-execution history", "_start", "_start",
        "No more reverse-execution history", "^position 1\\.")


@scenario
def the_end_of_history():
    gdb(trace, "continue", "when", "continue", "stepi", "when", "reverse-stepi", "stepi", "bt -1").expect(
        "No more reverse-execution history", "^position", "No more reverse-execution history", "No more reverse-execution history", "^position", "main|_start")


@scenario
def commands_of_a_breakpoint_run_backwards():
    gdb(trace, "break compare", "commands 1", "silent", "printf \"compared %d\\n\", *(int*)a", "end", "continue", "continue", "reverse-continue", "reverse-continue").expect(
            "compared 5", "compared", "compared 5", "No more reverse-execution history")


@scenario
def exec_direction():
    gdb(trace, "break fib if n == 7", "continue", "set exec-direction reverse", "delete", "break compare", "continue", "bt 1", "set exec-direction forward", "continue").expect(
        r"fib \(n=7\)", "Breakpoint 2, compare", "#0 +compare", "No more reverse-execution history")


@scenario
def patched_loops_are_gone_through_instruction_by_instruction():
    """Out of a loop that counts ticks, back to its first round and on again, by hash and place."""
    client = Client(trace)
    listing = subprocess.run(["nm", program], capture_output=True, text=True).stdout
    at = 0x555555554000 + int(re.search(r"^(\w+) . fill$", listing, re.MULTILINE)[1], 16)
    client.ask(f"Z0,{at:x},1")
    client.ask("vCont;c")
    client.ask(f"z0,{at:x},1")
    thread = client.stopped_thread()
    seen = []
    for _ in range(60):
        seen.append((client.where(), client.register("rip"), client.state()))
        client.ask("vCont;s:" + thread)
    for turn in range(2):
        for expected in reversed(seen):
            client.ask("bs")
            if (client.where(), client.register("rip"), client.state()) != expected:
                sys.exit(f"turn {turn}: {client.where()} is another than {expected}")
        for expected in seen[1:]:
            client.ask("vCont;s:" + thread)
            if (client.where(), client.register("rip"), client.state()) != expected:
                sys.exit(f"turn {turn}: forwards {client.where()} is another than {expected}")
        client.ask("vCont;s:" + thread)
    client.close()


@scenario
def the_program_is_the_same_from_both_sides():
    """From the start and from the end, a place has the same registers and memory."""
    forwards = gdb(trace, "break fib if n == 7", "continue", "when", "info registers", "x/64xg $sp", "print table")
    place = re.search(r"^position (\S+):", forwards, re.MULTILINE)[1]
    backwards = gdb(trace, "break fib if n == 7", "reverse-continue", "when", "info registers", "x/64xg $sp", "print table", options=["--at-end"])
    sought = gdb(trace, f"seek {place}", "when", "info registers", "x/64xg $sp", "print table")
    parts = [re.search(r"^position [\s\S]*", text[text.index("position " + place):], re.MULTILINE)[0].partition("\n[Inferior")[0].partition("\nwarning")[0]
             for text in (forwards, backwards, sought)]
    if len(set(parts)) != 1:
        sys.exit("\n===\n".join(parts))


run_scenarios()
