"""What info says about the program's code: how often it was stopped in it, what of it is patched, and what is not."""

import json
import os
import shutil
import subprocess

from cli_support import check, file, scratch, tmrec, traces

LOOP = "for ((i = 0; i < 20000; i++)); do ((n = n * 31 % 65537 + 1)); done; "

tmrec("record", "-q", "--name", "two", "--slice", "1000", "bash", "-c", "{ " + LOOP + "} & " + LOOP + "wait; echo done").exits(0)
ticks = json.loads(tmrec("info", "--json", "two-1").exits(0).silent().out)["ticks"]
check(ticks["stops"] >= ticks["preemptions"] > 20, f"two computing shells took turns {ticks['preemptions']} times")
modules = {os.path.basename(m["name"]): m for m in ticks["modules"]}
check("bash" in modules and any(n.startswith("libc.so") for n in modules), f"modules: {sorted(modules)}")
for name, module in modules.items():
    kinds = [module[k] for k in ("back_edges", "indirect_jumps", "calls", "special")]
    check(all(k["unpatched"] <= k["all"] for k in kinds), f"{name}: {kinds}")
    check(sum(k["all"] for k in kinds) == sum(module["methods"].values()), f"{name}: {module}")
    check(sum(k["unpatched"] for k in kinds) == module["methods"]["none"], f"{name}: {module}")
bash = modules["bash"]
check(bash["times"] >= 1 and bash["back_edges"]["all"] > 1000 and bash["trampoline_bytes"] > 4096, f"bash: {bash}")
check(bash["back_edges"]["unpatched"] * 100 < bash["back_edges"]["all"], f"bash has uncounted loops: {bash}")

dumped = [json.loads(line) for line in tmrec("dump", "--json", "two-1").exits(0).out.splitlines()]
check(sum(e["kind"] == "tick" for e in dumped) == ticks["stops"], "info and dump count other stops")
done = tmrec("info", "two-1").exits(0).silent()
done.expect(f"stopped at {ticks['stops']}: {ticks['preemptions']} preemptions" in done.out, "does not say how often tasks were stopped")
done.expect("back edges" in done.out and f"/ {bash['back_edges']['all']}" in done.out, "has no table of modules")

tmrec("record", "-q", "--name", "left", "--no-patch", "bash", "bash", "-c", ":").exits(0)
left = json.loads(tmrec("info", "--json", "left-1").exits(0).out)
names = [os.path.basename(m["name"]) for m in left["ticks"]["modules"]]
check("bash" not in names and names, f"--no-patch bash: {names}")
check(any("not patched" in n["what"] and n["what"].endswith("/bash") for n in left["notes"]), f"not named: {left['notes']}")

tmrec("record", "-q", "--name", "none", "--no-ticks", "bash", "-c", ":").exits(0)
none = json.loads(tmrec("info", "--json", "none-1").exits(0).out)
check(none["tick_source"] == "none" and none["ticks"]["modules"] == [] and none["ticks"]["stops"] == 0, f"--no-ticks: {none}")
done = tmrec("info", "none-1").exits(0).silent()
done.expect("not counted" in done.out and "back edges" not in done.out, "does not say that ticks are not counted")

# Text and trampolines are pages of files, shared by all processes; where the program can't open those, its own memory. It sees
# its modules there all the same.
shown = """n=0 modules=0
while read -r at how offset device inode file; do
  case $at in
    *-*) code=; if [[ $how == r-xp && $file == /* ]]; then code=1; ((modules++)); [[ $file == *.image* || ! -e $file ]] && echo "$file"; fi;;
    Anonymous:) [[ $code ]] && ((n += how));;
  esac
done < /proc/self/smaps
echo "$((modules > 2)) $n"
"""
done = tmrec("record", "-q", "--name", "shown", "bash", "-c", shown).exits(0)
done.prints("1 0\n")
tmrec("replay", "-a", "shown-1").exits(0).prints(done.out)
if os.geteuid() == 0 and shutil.which("setpriv"):
    done = tmrec("record", "-q", "--name", "hidden", "setpriv", "--reuid=65534", "--clear-groups", "bash", "-c", shown).exits(0)
    done.expect(done.out.startswith("1 ") and int(done.out.split()[1]) > 400, "the program could open what is not its user's")
    tmrec("replay", "-a", "hidden-1").exits(0).prints(done.out)
    modules = json.loads(tmrec("info", "--json", "hidden-1").exits(0).out)["ticks"]["modules"]
    check(any(m["name"].endswith("/bash") for m in modules), f"not patched for another user: {modules}")

# A file that is no program's code, but mapped as such, is left alone, and the program does not notice.
file("noise", b"no program at all" * 1000)
script = "import mmap; f = open('noise'); print(mmap.mmap(f.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)[:10])"
tmrec("record", "-q", "--name", "noise", "/usr/bin/python3", "-c", script).exits(0).prints("b'no program'\n")
tmrec("replay", "-a", "noise-1").exits(0).prints("b'no program'\n")
notes = json.loads(tmrec("info", "--json", "noise-1").exits(0).out)["notes"]
check(any("not patched" in n["what"] and n["what"].endswith("/noise") for n in notes), f"not named: {notes}")

# Executable segments with a hole between them, as node has: both are patched.
file("far.c", b"""#include <stdio.h>
__attribute__((section(".far"), noinline)) unsigned far(unsigned n) { unsigned s = n; while (n--) s = s * 31 + n; return s; }
int main(void) { unsigned s = 0; for (unsigned i = 0; i < 100; i++) s += far(i * 10); printf("%u\\n", s); }
""")
subprocess.run(["gcc", "-O1", "-no-pie", "-Wl,--section-start=.far=0x900000", "-o", "far", "far.c"], cwd=scratch, check=True)
native = subprocess.run(["./far"], cwd=scratch, stdout=subprocess.PIPE, text=True, check=True).stdout
tmrec("record", "-q", "--name", "far", "./far").exits(0).prints(native)
tmrec("replay", "-a", "far-1").exits(0).prints(native)
module = [m for m in json.loads(tmrec("info", "--json", "far-1").exits(0).out)["ticks"]["modules"] if m["name"].endswith("/far")]
check(module and module[0]["text_bytes"] > 1 << 20 and module[0]["back_edges"]["all"] >= 2, f"segments with a hole: {module}")

# What cannot be read is not known; the manifest still answers.
shutil.copytree(os.path.join(traces, "two-1"), os.path.join(traces, "torn"))
segment = os.path.join(traces, "torn", "log", "000001")
with open(segment, "r+b") as f:
    f.seek(os.path.getsize(segment) // 2)
    f.write(b"damage" * 20)
done = tmrec("info", "torn").exits(0).silent()
done.expect("not known" in done.out and "bash -c" in done.out, "says nothing of a damaged log")
check(json.loads(tmrec("info", "--json", "torn").exits(0).out)["ticks"] is None, "a damaged log has ticks")
