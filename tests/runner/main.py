"""The test runner behind tests/run: builds, then runs unit tests, fuzz drivers, guests and end-to-end tests."""

import argparse
import ast
import collections
import contextlib
import json
import os
import pwd
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import guests
import processes

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
E2E_SECONDS = 300
STRESS_ROUNDS = 3
TICK_PROGRAMS = ("perl", "python3-threads", "xz-threads", "sqlite3")
# How guests are recorded, by the kind of test. The ordinary user's: with a slice so small that tasks change at nearly
# every chance, and all that can be buffered buffered from the first call on, with as little room as there may be.
GUEST_OPTIONS = {
    "guest": guests.RECORD_OPTIONS,
    "guest-stops": (*guests.RECORD_OPTIONS, "--no-agent"),
    "guest-user": (*guests.RECORD_OPTIONS, "--slice=1000", "--agent-after=0", "--agent-room=8192"),
}
SKIP_STATUS = 77

# run(place) gives the failure's text, None when passed, or raises Skipped. A case that consists of `parts` gives the outcome
# and text of each, or the failure's text when none was tried.
Case = collections.namedtuple("Case", "name owner run parts", defaults=((),))
Owner = collections.namedtuple("Owner", "uid gid")


class Skipped(Exception):
    pass


def build(directory, jobs):
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        subprocess.run(["meson", "setup", directory, TREE], check=True, stdout=sys.stderr)
    done = subprocess.run(["ninja", "-C", directory, "-j", str(jobs)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(done.stdout.decode(errors="replace") + "tests/run: the build failed")


def build_static(directory, jobs):
    """The static binary, for the tests that run it where there is nothing else."""
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        subprocess.run(["meson", "setup", directory, TREE, "-Dstatic=true"], check=True, stdout=sys.stderr)
    done = subprocess.run(["ninja", "-C", directory, "-j", str(jobs), "cli/tmrec"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(done.stdout.decode(errors="replace") + "tests/run: the static build failed")


def command_faults(finished):
    if finished.timed_out:
        yield f"ran into the time-out after {finished.seconds:.0f} s"
    if finished.survivors:
        yield "left processes behind: " + "; ".join(finished.survivors)
    if finished.status not in (0, SKIP_STATUS):
        yield f"exit status {finished.status}"


def run_command(argv, seconds, extra_environment=None):
    def run(place):
        place.environment.update(extra_environment or {})
        finished = place.run(argv, seconds)
        if text := guests.report("run", command_faults(finished), finished):
            return text
        if finished.status == SKIP_STATUS:
            raise Skipped((finished.out + finished.err).decode(errors="replace").strip().rpartition("\n")[2])
        return None

    return run


def meson_cases(build_directory):
    """The unit tests and fuzz drivers that the build declares."""
    with open(os.path.join(build_directory, "meson-info", "intro-tests.json"), encoding="utf-8") as f:
        for entry in json.load(f):
            suite = "fuzz" if any("fuzz" in s for s in entry["suite"]) or "fuzz" in entry["name"] else "unit"
            # Meson runs tests in the build directory and names files from there.
            command = [built if os.path.exists(built := os.path.join(build_directory, word)) else word for word in entry["cmd"]]
            yield Case(f"{suite}/{entry['name']}", None, run_command(command, max(60, entry["timeout"]), entry["env"]))


def guest_cases(arguments, place_of_binaries, owner, kind):
    options = GUEST_OPTIONS[kind]
    for guest in guests.find(os.path.join(TREE, "tests", "guests"), place_of_binaries.guests):
        def run(place, guest=guest):
            text = guests.test(guest, place_of_binaries.guests, place_of_binaries.tmrec, place, arguments.native_only, options)
            if text and guest.limit and not text.startswith("native"):
                raise Skipped("a known limit: " + guest.limit)
            return text

        yield Case(f"{kind}/{guest.name}", owner, run)


def static_build(build_directory):
    return build_directory.rstrip("/") + "-static"


def e2e_cases(tmrec, static):
    """Those whose name begins with static_ are given the static binary, too."""
    directory = os.path.join(TREE, "tests", "e2e")
    for script in sorted(os.listdir(directory)):
        if not script.endswith((".py", ".sh")):
            continue
        argv = [sys.executable, "-B"] if script.endswith(".py") else ["bash"]
        command = argv + [os.path.join(directory, script)]
        environment = {"TMREC": tmrec} | ({"TMREC_STATIC": static} if script.startswith("static_") else {})
        yield Case(f"e2e/{script.rpartition('.')[0]}", None, run_command(command, E2E_SECONDS, environment))


def scenario_names(script):
    with open(script, encoding="utf-8") as f:
        tree = ast.parse(f.read())
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and
            any(isinstance(each, ast.Name) and each.id == "scenario" for each in node.decorator_list)]


def run_scenarios(command, environment, case):
    def run(place):
        outcomes = os.path.join(place.root, "outcomes")
        text = run_command(command, E2E_SECONDS, environment | {"TMREC_OUTCOMES": outcomes})(place)
        if not os.path.exists(outcomes):
            return text
        with open(outcomes, encoding="utf-8") as f:
            tried = {f"{case}/{name}": outcome for name, outcome in json.load(f).items()}
        # Processes left behind, for one, are no scenario's own.
        if text and all(outcome != "failed" for outcome, _ in tried.values()):
            tried[case] = ("failed", text)
        return tried

    return run


def gdb_cases(tmrec, names):
    """Debugging sessions, most of them with the real gdb."""
    directory = os.path.join(TREE, "tests", "gdb")
    for script in sorted(s for s in os.listdir(directory) if s.endswith(".py")):
        command = [sys.executable, "-B", os.path.join(directory, script)]
        name = f"gdb/{script.removesuffix('.py')}"
        scenarios = scenario_names(command[-1])
        if not scenarios:
            yield Case(name, None, run_command(command, E2E_SECONDS, {"TMREC": tmrec}))
            continue
        wanted = [s for s in scenarios if not names or any(n in f"{name}/{s}" for n in names)]
        if wanted:
            yield Case(name, None, run_scenarios(command + wanted, {"TMREC": tmrec}, name), tuple(f"{name}/{s}" for s in wanted))


def stress_cases(build_directory):
    """A sample of what tests/stress repeats a thousand times."""
    for seed in range(1, STRESS_ROUNDS + 1):
        command = [os.path.join(TREE, "tests", "stress"), "1", f"--first-seed={seed}", "--jobs=1", f"--build={build_directory}"]
        yield Case(f"stress/seed-{seed}", None, run_command(command, E2E_SECONDS))
    command = [os.path.join(TREE, "tests", "stress"), "--ticks", "1", *TICK_PROGRAMS, "--jobs=1", f"--build={build_directory}"]
    yield Case("stress/ticks", None, run_command(command, E2E_SECONDS))


Binaries = collections.namedtuple("Binaries", "guests tmrec")


def reachable_binaries(build_directory, prefix, scratch):
    """Where the user that prefix switches to can execute the programs: the build directory, or a copy."""
    original = Binaries(os.path.join(build_directory, "tests", "guests"), os.path.join(build_directory, "cli", "tmrec"))
    if subprocess.run(prefix + ["test", "-r", original.guests, "-a", "-x", original.guests]).returncode == 0:
        return original
    copy = Binaries(os.path.join(scratch, "guests"), os.path.join(scratch, "tmrec"))
    shutil.copytree(original.guests, copy.guests, ignore=shutil.ignore_patterns("*.p", "meson*"))
    if os.path.exists(original.tmrec):
        shutil.copy2(original.tmrec, copy.tmrec)
    os.chmod(scratch, 0o755)
    return copy


def ordinary_user(name):
    if name:
        entry = pwd.getpwnam(name)
        return Owner(entry.pw_uid, entry.pw_gid)
    return Owner(65534, 65534)


def prefix_of(owner):
    return ["setpriv", f"--reuid={owner.uid}", f"--regid={owner.gid}", "--clear-groups"] if owner else []


def all_cases(arguments, scratch):
    cases = []
    if not arguments.native_only:
        cases += meson_cases(arguments.build)
        cases += stress_cases(arguments.build)
        cases += e2e_cases(os.path.join(arguments.build, "cli", "tmrec"), os.path.join(static_build(arguments.build), "cli", "tmrec"))
        cases += gdb_cases(os.path.join(arguments.build, "cli", "tmrec"), arguments.names)
    own = reachable_binaries(arguments.build, [], scratch)
    for kind in ("guest",) if arguments.native_only else ("guest", "guest-stops"):
        cases += guest_cases(arguments, own, None, kind)
    if os.getuid() == 0:
        owner = ordinary_user(arguments.user)
        cases += guest_cases(arguments, reachable_binaries(arguments.build, prefix_of(owner), scratch), owner, "guest-user")
    return [c for c in cases if not arguments.names or c.parts or any(n in c.name for n in arguments.names)]


def shared_blobs(owner, scratch):
    """The blob store of all tests of one user, and the plans: the same libraries are mapped by every program."""
    directory = os.path.join(scratch, f"blobs-{owner.uid if owner else 'own'}")
    for shared in (directory, guests.plans_beside(directory)):
        if os.path.exists(shared):
            continue
        os.makedirs(shared, 0o700)
        if owner:
            os.chown(shared, owner.uid, owner.gid)
    return directory


def run_in_worker(case, scratch, keep):
    """What the forked worker of one test does; gives the outcome and its text."""
    processes.become_subreaper()
    root = tempfile.mkdtemp(prefix="case-", dir=scratch)
    os.chmod(root, 0o755)
    place = guests.Place(root, prefix_of(case.owner), shared_blobs(case.owner, scratch))
    place.make(case.owner)
    try:
        text = case.run(place)
        outcome = "parts" if isinstance(text, dict) else "failed" if text else "passed"
    except Skipped as skipped:
        outcome, text = "skipped", str(skipped)
    except Exception:
        outcome, text = "failed", traceback.format_exc()
    if not keep or outcome != "failed":
        shutil.rmtree(root, ignore_errors=True)
    return outcome, text


def start_worker(case, scratch, keep):
    shared_blobs(case.owner, scratch)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as f:
            json.dump(run_in_worker(case, scratch, keep), f)
            f.flush()
            os._exit(0)
    os.close(writer)
    return pid, reader


def finish_worker(pid, reader):
    with os.fdopen(reader) as f:
        answer = f.read()
    os.waitpid(pid, 0)
    return json.loads(answer) if answer else ("failed", "the test's worker died\n")


def run_cases(cases, jobs, scratch, verbose, keep):
    """Runs all cases, so many at once; gives the count of every outcome."""
    waiting, running, counts = collections.deque(cases), {}, collections.Counter()
    while waiting or running:
        while waiting and len(running) < jobs:
            case = waiting.popleft()
            pid, reader = start_worker(case, scratch, keep)
            running[reader] = (pid, case, time.monotonic())
        for reader in select.select(list(running), [], [])[0]:
            pid, case, start = running.pop(reader)
            outcome, text = finish_worker(pid, reader)
            parts = text if outcome == "parts" else dict.fromkeys(case.parts or [case.name], (outcome, text))
            for name, (outcome, text) in parts.items():
                counts[outcome] += 1
                if outcome == "failed":
                    print(f"FAILED {name}\n  repeat: tests/run {shlex.quote(name)}\n  {text.rstrip()}", flush=True)
                elif outcome == "skipped":
                    print(f"skipped {name}: {text}", flush=True)
                elif verbose:
                    print(f"passed {name} ({time.monotonic() - start:.1f} s)", flush=True)
    return counts


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tests/run", description="Builds tmrec and runs its tests.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="run only tests whose name contains one of these")
    parser.add_argument("--list", action="store_true", help="print the names of the tests and stop")
    parser.add_argument("--jobs", type=int, default=2, help="tests at once (default 2)")
    parser.add_argument("--user", help="the ordinary user, when run as root (default: uid 65534)")
    parser.add_argument("--native-only", action="store_true", help="run the guests without tmrec, and nothing else")
    parser.add_argument("--build", default=os.path.join(TREE, "build"), help="build directory (default: build)")
    parser.add_argument("--no-build", action="store_true", help="test what is built already")
    parser.add_argument("--keep", action="store_true", help="keep the files of failed tests and say where they are")
    parser.add_argument("-v", "--verbose", action="store_true", help="name the passed tests too")
    return parser.parse_args()


def main():
    # A shell starts what it runs in the background with these ignored, and no program could trap them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    arguments = parse_arguments()
    arguments.build = os.path.abspath(arguments.build)
    if not arguments.no_build:
        build(arguments.build, arguments.jobs)
    if not arguments.native_only and not os.path.exists(os.path.join(arguments.build, "cli", "tmrec")):
        sys.exit(f"tests/run: there is no cli/tmrec in {arguments.build}")
    with contextlib.ExitStack() as stack:
        scratch = tempfile.mkdtemp(prefix="tmrec-tests-")
        os.chmod(scratch, 0o755)
        if arguments.keep:
            print(f"tests/run: files of failed tests are kept in {scratch}")
        else:
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        cases = all_cases(arguments, scratch)
        if arguments.list:
            print("\n".join(name for case in cases for name in case.parts or [case.name]))
            return 0
        if not arguments.no_build and any(case.name.startswith("e2e/static_") for case in cases):
            build_static(static_build(arguments.build), arguments.jobs)
        counts = run_cases(cases, max(1, arguments.jobs), scratch, arguments.verbose, arguments.keep)
        for source in guests.unbuilt(os.path.join(TREE, "tests", "guests"), os.path.join(arguments.build, "tests", "guests")):
            print(f"FAILED guest/{source}: has a source that tests/guests/meson.build does not name")
            counts["failed"] += 1
        if not sum(counts.values()):
            print("tests/run: no test has such a name")
            counts["failed"] += 1
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
