"""Guest programs: what their sources say about running them, and the test of one guest.

A guest passes when it ends as its source says natively and recorded, and when two replays repeat the recording's
output and status byte by byte.
"""

import dataclasses
import glob
import os
import re
import shlex

import processes

RECORD_OPTIONS = ("--check=100",)
TOKEN = b"EXIT-SUCCESS"
NATIVE_SECONDS, RECORD_SECONDS, REPLAY_SECONDS = 20, 90, 90
VARIANTS = ("", ".static", ".static-pie", ".musl")


@dataclasses.dataclass
class Guest:
    name: str  # of the executable: source stem and variant
    source: str
    status: int  # expected, in the shell's convention
    args: list
    stdin: str | None
    limit: str | None  # why a recording of it can't be exact yet


def read_guest(source, name):
    guest = Guest(name, source, 0, [], None, None)
    with open(source, encoding="utf-8") as f:
        for line in f:
            if not (match := re.match(r"// (expect|args|stdin|limit): ?(.*)", line)):
                continue
            key, value = match.groups()
            if key == "args":
                guest.args = shlex.split(value)
            elif key in ("stdin", "limit"):
                setattr(guest, key, value)
            else:
                kind, number = value.split("=")
                guest.status = int(number) + (128 if kind == "signal" else 0)
    return guest


def find(source_directory, build_directory):
    """Every guest that has been built, sorted by name."""
    found = []
    for source in glob.glob(os.path.join(source_directory, "*.[cS]*")):
        stem = os.path.basename(source).rpartition(".")[0]
        found += [read_guest(source, stem + v) for v in VARIANTS if os.path.exists(f"{build_directory}/{stem}{v}")]
    return sorted(found, key=lambda guest: guest.name)


def unbuilt(source_directory, build_directory):
    """Sources that the build forgot."""
    stems = [os.path.basename(s).rpartition(".")[0] for s in glob.glob(os.path.join(source_directory, "*.[cS]*"))]
    return sorted(s for s in stems if not any(os.path.exists(f"{build_directory}/{s}{v}") for v in VARIANTS))


def without_own_words(text):
    """What the program itself wrote to standard error."""
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"tmrec: "))


def stable_lines(text):
    return [line for line in text.splitlines() if line.startswith(b"= ")]


def plans_beside(blobs):
    return blobs + "-plans"


class Place:
    """The private directories of one test and the environment that points to them."""

    def __init__(self, root, prefix, blobs=None):
        self.root, self.prefix = root, prefix
        self.work, self.home, self.output = (os.path.join(root, d) for d in ("work", "home", "output"))
        self.trace = os.path.join(root, "traces", "trace")
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "USER": "guest",
            "HOME": self.home, "TMPDIR": self.work, "TMREC_TRACE_DIR": os.path.join(root, "traces"),
        }
        if blobs:
            self.environment["TMREC_BLOB_DIR"] = blobs
            self.environment["TMREC_CACHE_DIR"] = plans_beside(blobs)  # libc is planned once, not for every test

    def make(self, owner):
        for directory in (self.work, self.home, self.output, self.environment["TMREC_TRACE_DIR"]):
            os.makedirs(directory)
            if owner:
                os.chown(directory, owner.uid, owner.gid)

    def run(self, argv, seconds, stdin=None):
        return processes.run(self.prefix + argv, self.work, self.environment, seconds, stdin, self.output)

    def leftovers(self):
        return sorted(os.listdir(self.work))


def common_faults(finished, place):
    if finished.timed_out:
        yield f"ran into the time-out after {finished.seconds:.0f} s"
    if finished.survivors:
        yield "left processes behind: " + "; ".join(finished.survivors)
    if files := place.leftovers():
        yield "left files behind: " + " ".join(files)


def run_faults(finished, place, guest):
    yield from common_faults(finished, place)
    if finished.status != guest.status:
        yield f"exit status {finished.status}, expected {guest.status}"
    lines = finished.out.splitlines()
    if not lines or lines[-1] != TOKEN:
        yield "the last line of output is not EXIT-SUCCESS"


def replay_faults(replayed, recorded, place):
    yield from common_faults(replayed, place)
    if b"tmrec: desync" in replayed.err:
        yield "desync"
    if replayed.status != recorded.status:
        yield f"exit status {replayed.status}, recorded {recorded.status}"
    if replayed.out != recorded.out:
        yield "standard output differs from the recording's"
    if without_own_words(replayed.err) != without_own_words(recorded.err):
        yield "standard error differs from the recording's"


def report(stage, faults, finished, compared=None):
    """Text of a failure, or None."""
    faults = list(faults)
    if not faults:
        return None
    text = f"{stage}: {'; '.join(faults)}\n  command: {finished.command}\n"
    for title, content in (("stdout", finished.out), ("stderr", finished.err)):
        lines = content.decode(errors="replace").splitlines()
        desync = next((n for n, line in enumerate(lines) if "tmrec: desync" in line), len(lines))
        shown = lines[desync:desync + 8] + lines[max(min(desync + 8, len(lines)), len(lines) - 12):]
        shown = shown or lines[-12:]
        text += "".join(f"  {title}: {line[:300]}\n" for line in shown)
    if compared is not None and compared.out != finished.out:
        for number, (a, b) in enumerate(zip(compared.out.splitlines(), finished.out.splitlines()), 1):
            if a != b:
                return text + f"  line {number} recorded: {a[:200]!r}\n  line {number} replayed: {b[:200]!r}\n"
    return text


def test(guest, binaries, tmrec, place, native_only, record_options=RECORD_OPTIONS):
    """Runs one guest through all its stages. Gives the failure's text, or None."""
    argv = [os.path.join(binaries, guest.name), *guest.args]
    stdin = None
    if guest.stdin is not None:
        stdin = os.path.join(place.root, "stdin")
        with open(stdin, "w", encoding="utf-8") as f:
            f.write(guest.stdin + "\n")
    native = place.run(argv, NATIVE_SECONDS, stdin)
    if (text := report("native", run_faults(native, place, guest), native)) or native_only:
        return text
    recorded = place.run([tmrec, "record", "-q", "-o", place.trace, *record_options, "--", *argv], RECORD_SECONDS, stdin)
    faults = list(run_faults(recorded, place, guest))
    if stable_lines(recorded.out) != stable_lines(native.out):
        faults.append("a line that must be the same natively differs")
    if text := report("record", faults, recorded):
        return text
    for attempt in ("replay", "second replay"):
        replayed = place.run([tmrec, "replay", "-a", place.trace], REPLAY_SECONDS)
        if text := report(attempt, replay_faults(replayed, recorded, place), replayed, recorded):
            return text
    return None
