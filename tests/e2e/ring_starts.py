"""Replays that begin at starting points, wherever these are: guests of all kinds, the log cut off in front of each."""

import os
import shutil
import subprocess
import sys

from recording import TMREC, scratch
from ringing import replay, segments, start, traces, words

GUESTS = """thread_cond thread_pingpong thread_many_blocked thread_mutex_robust thread_clear_child_tid thread_burst
    proc_fork_tree proc_pipeline proc_posix_spawn proc_leader_exits proc_vfork_exec proc_exec_thread proc_wait_stopped
    mem_shared_fork mem_file_shared mem_sysv_shm mem_memfd_shared mem_write_to_mapped mem_truncate_mapped mem_dlopen mem_brk
    mem_madvise mem_unmap_code mem_shm_open signal_itimer signal_restart_nanosleep signal_altstack signal_nested signal_stop_continue
    net_epoll_threads net_tcp_processes tick_spin_processes tick_own_text tick_nested_signals tick_exceptions tick_fork_computing
    tick_text_write agent_signals agent_sigsys cpu_gs_late file_pipe""".split()
CUTS = 3
guests = os.path.join(os.path.dirname(TMREC), "..", "tests", "guests")
starts, damaged = 0, False
for number, name in enumerate(GUESTS):
    guest = os.path.join(guests, name)
    if not os.access(guest, os.X_OK):
        sys.exit(f"{guest} is not built")
    base = os.path.join(scratch, name)
    agent = ("--agent-after", "0") if number % 3 else ("--no-agent",)
    tmrec = start(base, ["--ring", "1h", "--on-exit-failure", "--starting-points", "25", "--check", "50", *agent],
                  ["/bin/sh", "-c", f"'{guest}' >guest.out 2>&1; exit 3"])
    if tmrec.wait(100) != 3 or len(traces(base)) != 1:
        sys.exit(f"{name}: record ended with {tmrec.returncode}; {words(base)}")
    (trace,) = traces(base)
    replay(trace, 3)  # compares at each as it passes by
    parts = segments(trace)
    if len(parts) < 2:
        sys.exit(f"{name}: no starting points")
    starts += len(parts) - 1
    for first in sorted({1 + i * (len(parts) - 1) // CUTS for i in range(CUTS)} | {len(parts) - 1}):
        cut = os.path.join(base, "cut")
        shutil.copytree(trace, cut)
        for segment in parts[:first]:
            os.remove(os.path.join(cut, "log", segment))
        replay(cut, 3)
        shutil.rmtree(cut)
    if not damaged and len(parts) >= 6:
        damaged = True
        os.remove(os.path.join(trace, "log", parts[-1]))
        os.rename(os.path.join(trace, "log", parts[0]), os.path.join(base, "first"))
        for snapshot in (n for n in os.listdir(trace) if n.endswith(".core")):
            os.remove(os.path.join(trace, snapshot))
        gone = subprocess.run([TMREC, "replay", "-a", trace], capture_output=True, text=True, timeout=100)
        if gone.returncode != 2 or gone.stderr.count("\n") != 1 or "snapshot-" not in gone.stderr:
            sys.exit(f"without its snapshots: {gone.returncode} {gone.stderr}")
        os.remove(os.path.join(trace, "log", parts[2]))
        gone = subprocess.run([TMREC, "replay", "-a", trace], capture_output=True, text=True, timeout=100)
        if gone.returncode != 2 or gone.stderr.count("\n") != 1 or "segment of the log is missing" not in gone.stderr:
            sys.exit(f"without a segment: {gone.returncode} {gone.stderr}")
    shutil.rmtree(base)
if not damaged:
    sys.exit("no program had parts enough to damage some")
print(f"{starts} starting points in {len(GUESTS)} programs")
