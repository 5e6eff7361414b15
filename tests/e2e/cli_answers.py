"""ls, info, dump, doctor, replay: what they answer, as text and as JSON."""

import json
import os
import subprocess

from cli_support import TMREC, check, environment, scratch, tmrec, traces

tmrec("ls").exits(0).prints("").says("no traces")
tmrec("ls", "--json").exits(0).prints("[]\n").silent()
tmrec("record", "-q", "--seed", "3", "sh", "-c", "echo a 'b'; exit 5").exits(5)

done = tmrec("ls").exits(0).silent()
done.expect("sh-1" in done.out and "sh -c" in done.out and " ok " in done.out, "does not list the trace")
[entry] = json.loads(tmrec("ls", "--json").exits(0).silent().out)
check(entry["name"] == "sh-1" and entry["state"] == "ok" and entry["exit_status"] == 5, f"ls --json: {entry}")
check(entry["command"] == ["sh", "-c", "echo a 'b'; exit 5"], f"ls --json: {entry['command']}")

info = json.loads(tmrec("info", "--json").exits(0).silent().out)
check(info["events"] == entry["events"] > 10 and info["seed"] == 3 and info["complete"] is True, f"info --json: {info}")
check(info["doubts"] == [], f"doubts on the machine it was recorded on: {info['doubts']}")
done = tmrec("info", "sh-1").exits(0).silent()
done.expect("sh -c" in done.out and "status 5" in done.out and "nothing speaks against it" in done.out, "lacks something")

lines = tmrec("dump").exits(0).silent().out.splitlines()
check(len(lines) == info["events"], "dump does not print one line per event")
check([int(line.split()[0]) for line in lines] == list(range(1, len(lines) + 1)), "events are not numbered in order")
check(any("write(1, \"a b\\n\"" in line for line in lines), "dump does not show the write")
check("new program" in "".join(lines) and "status 5" in "".join(lines), "dump shows no start or no end")
part = tmrec("dump", "--from", "3", "--to", "5").exits(0).out.splitlines()
check(part == lines[2:5], "--from and --to")
objects = [json.loads(line) for line in tmrec("dump", "--json").exits(0).out.splitlines()]
check([o["event"] for o in objects] == list(range(1, len(lines) + 1)), "dump --json")
task = objects[0]["tid"]
check(tmrec("dump", "--tid", str(task)).out.splitlines() == [l for l, o in zip(lines, objects) if o["tid"] == task], "--tid")
tmrec("dump", "--tid", "1").exits(0).prints("")

tmrec("replay", "-a").exits(5).prints("a b\n")
tmrec("replay", "-a", "sh-1").exits(5).prints("a b\n")
tmrec("replay", "-a", "--verify", "sh-1").exits(0).prints("").silent()
tmrec("replay", "-a", os.path.join(traces, "latest")).exits(5)

probes = {p["name"]: p for p in json.loads(tmrec("doctor", "--json").exits(0).silent().out)}
check(all(probes[n]["ok"] for n in ("ptrace", "sysemu", "remote-memory", "directory")), f"doctor: {probes}")
in_hardware = "in hardware" in probes["ticks"]["meaning"]
check(in_hardware or "in software" in probes["ticks"]["meaning"], f"doctor names no tick source: {probes['ticks']}")
check(probes["counter"]["ok"] or not in_hardware, f"doctor chooses a counter that does not work: {probes['ticks']}")
done = tmrec("doctor").exits(0).silent()
done.expect(len([l for l in done.out.splitlines() if l.startswith(("ok ", "missing "))]) == len(probes), "a line per probe")
sealed = tmrec("doctor", TMREC_TRACE_DIR="/proc/nowhere").exits(4)
sealed.expect("MISSING" in sealed.out, "does not shout")

version = tmrec("--version").exits(0).silent()
version.expect(version.out.startswith("tmrec ") and version.out[6].isdigit(), "does not print its version")
for command in ("record", "replay", "dump", "info", "ls", "rm", "doctor"):
    done = tmrec(command, "--help").exits(0).silent()
    done.expect("Example" in done.out, "help without an example")

# An answer that could not be written is a failure.
with open("/dev/full", "wb") as full:
    for command in (["dump"], ["info"], ["ls", "--json"]):
        done = subprocess.run([TMREC, *command], stdout=full, stderr=subprocess.PIPE, env=environment, timeout=60)
        check(done.returncode == 1 and done.stderr.startswith(b"tmrec: "), f"{command} to /dev/full: {done}")

# Completion offers subcommands, options and trace names.
completion = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "cli", "completion", "tmrec.bash")
script = f'''. {completion}
complete_words() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tmrec; echo "${{COMPREPLY[*]}}"; }}
complete_words tmrec re
complete_words tmrec dump --f
complete_words tmrec replay sh-'''
offered = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, cwd=scratch).stdout
check(offered == "record replay\n--from\nsh-1\n", f"completion offers {offered!r}")
