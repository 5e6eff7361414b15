# Commands for gdb on a recording. gdb gets this text from tmrec itself when a session begins.
#
# gdb believes that a process stands still until it resumes it. So a command that goes somewhere leaves an errand with tmrec
# and resumes the process, which stops where the errand has led: gdb then looks at everything anew.
import re

import gdb


def tmrec_ask(command):
    return gdb.execute("monitor " + command, to_string=True)


def tmrec_travel(command):
    tmrec_ask("on-resume " + command)
    direction = "continue" if gdb.parameter("exec-direction") == "reverse" else "reverse-continue"
    gdb.execute("with suppress-cli-notifications on -- " + direction, to_string=True)
    reason = tmrec_ask("outcome").strip()
    if reason:
        raise gdb.GdbError(reason)
    # Libraries that are mapped there were perhaps not mapped here; nobody ran over the breakpoint that tells gdb.
    gdb.execute("sharedlibrary", to_string=True)
    gdb.execute("frame")
    gdb.execute("display")


class TmrecCommand(gdb.Command):
    completer = gdb.COMPLETE_NONE

    def __init__(self):
        super().__init__(self.name, gdb.COMMAND_RUNNING, self.completer)


# Commands that ask tmrec what they are called, and print the answer.
TMREC_QUESTIONS = {
    "when": """Say where in the recording this is.
Usage: when
The position EVENT.TICKS.INSTRUCTIONS names one instruction of the run, in every replay; `seek' goes there.
Then follows when it was recorded.""",
    "checkpoint": """Remember this place for the time of this session.
Usage: checkpoint [NOTE]
`restart NUMBER' goes back to it, `info checkpoints' lists them. For longer, see `bookmark'.""",
    "info checkpoints": """List the checkpoints of this session.
Usage: info checkpoints""",
    "delete checkpoint": """Forget a checkpoint.
Usage: delete checkpoint NUMBER""",
    "bookmark": """Remember this place beside the recording.
Usage: bookmark NAME
Bookmarks survive this session: `info bookmarks' lists them, `goto-bookmark NAME' goes there.""",
    "info processes": """List the processes of the recording.
Usage: info processes
Each with the events of its birth and its end, and the program it executes here, or executed last. `process PID' shows it.""",
    "info bookmarks": """List the bookmarks of this recording.
Usage: info bookmarks""",
    "delete bookmark": """Forget a bookmark.
Usage: delete bookmark NAME""",
}


class TmrecSeek(TmrecCommand):
    """Go to a place in the recording.
Usage: seek EVENT[.TICKS[.INSTRUCTIONS]] | begin | end
`begin' is the first instruction of the program, `end' is where it crashes or exits.
EVENT alone is where that event has just happened; `monitor events' lists those around here."""
    name = "seek"

    def invoke(self, words, from_tty):
        tmrec_travel("seek " + words)


class TmrecSeekTime(TmrecCommand):
    """Go to a time in the recording.
Usage: seek-time SECONDS | [YYYY-MM-DD ]HH:MM:SS[.FRACTION]
SECONDS count from the start of the recording, with a fraction if you like. A time of day is this machine's local time.
The place is behind the last event that had happened by then."""
    name = "seek-time"

    def invoke(self, words, from_tty):
        tmrec_travel("seek-time " + words)


class TmrecLast(TmrecCommand):
    """Go back to the instruction that last wrote a value.
Usage: last [EXPRESSION]
Stops in front of the instruction, or of the system call, that wrote to the memory of EXPRESSION last before here.
Without EXPRESSION, or with the same one again, goes on to the write before that, of the same memory."""
    name = "last"
    completer = gdb.COMPLETE_EXPRESSION

    def __init__(self):
        super().__init__()
        self.place = None  # words, address, pointer type, bytes
        self.reached = None

    def invoke(self, words, from_tty):
        again = self.place and self.reached == tmrec_ask("when") and words in ("", self.place[0])
        if not again:
            self.place = self.place_of(words)
        words, address, pointer, size = self.place
        after = self.value(address, pointer)
        self.reached = None
        tmrec_travel("last %d,%d" % (address, size))
        self.reached = tmrec_ask("when")
        before = self.value(address, pointer)
        gdb.write("%s is written here: %s\n" % (words, before if before == after else before + " before, " + after + " after"))

    @staticmethod
    def place_of(words):
        if not words:
            raise gdb.GdbError("last EXPRESSION: whose last write?")
        value = gdb.parse_and_eval(words)
        if value.type.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
            value = value.referenced_value()
        if value.address is None:
            raise gdb.GdbError("%s is not in memory" % words)
        size = value.type.sizeof
        if size == 0:
            raise gdb.GdbError("%s has no size" % words)
        return words, int(value.address), value.type.pointer(), size

    @staticmethod
    def value(address, pointer):
        try:
            return gdb.Value(address).cast(pointer).dereference().format_string(max_elements=16)
        except gdb.error:
            return "not there"


class TmrecRestart(TmrecCommand):
    """Go to a checkpoint.
Usage: restart [NUMBER]
Without NUMBER, to the first instruction of the program."""
    name = "restart"

    def invoke(self, words, from_tty):
        tmrec_travel("restart " + words if words else "seek begin")


class TmrecGotoBookmark(TmrecCommand):
    """Go to a bookmark.
Usage: goto-bookmark NAME"""
    name = "goto-bookmark"

    def invoke(self, words, from_tty):
        tmrec_travel("goto-bookmark " + words)

    def complete(self, text, word):
        names = [line.split("  ", 1)[1] for line in tmrec_ask("bookmarks").splitlines() if "  " in line]
        return [name for name in names if name.startswith(text)]


class TmrecProcess(TmrecCommand):
    """Show another process of the recording.
Usage: process PID
Goes where it lives, if that is not here. `info processes' lists them; `inferior N' goes on with one that is shown."""
    name = "process"

    def invoke(self, words, from_tty):
        tmrec_travel("process " + words)


class TmrecEndDiversion(TmrecCommand):
    """Go back from a diversion to the recording.
Usage: end-diversion
Changing memory or registers leads into a diversion: a copy of the program, which runs on with what you have changed, and
knows nothing of the recording's future. Going back, or to another place, ends it, too."""
    name = "end-diversion"

    def invoke(self, words, from_tty):
        tmrec_ask("end-diversion")
        gdb.execute("maintenance flush register-cache", to_string=True)
        gdb.execute("frame")


def tmrec_catchpoints(breakpoint):
    """Going back stops where a process was born only if gdb is to stop there: going forward, it is always told."""
    if breakpoint.type != gdb.BP_CATCHPOINT:
        return
    listed = gdb.execute("info breakpoints", to_string=True)
    enabled = any(re.search(r"^\d+ +catchpoint +\w+ +y +v?fork", line) for line in listed.splitlines())
    try:
        tmrec_ask("catch-forks " + ("on" if enabled else "off"))
    except gdb.error:
        pass  # not connected any more


def tmrec_changed(event):
    """What gdb itself changes to call a function is not told here."""
    try:
        gdb.write(tmrec_ask("keep-diversion"))
    except gdb.error:
        pass  # not connected any more


class TmrecCalls:
    """Functions that a command calls see what the others of the same command have done; the next command sees the recording."""
    called = False

    @classmethod
    def note(cls, event):
        cls.called = True

    @classmethod
    def done(cls):
        if not cls.called:
            return
        cls.called = False
        try:
            if tmrec_ask("calls-done"):
                gdb.execute("maintenance flush register-cache", to_string=True)
        except gdb.error:
            pass  # not connected any more


for tmrec_word in ("print", "call", "output", "printf", "echo", "x", "display", "set", "info", "ptype"):
    gdb.execute("define hookpost-%s\npython TmrecCalls.done()\nend" % tmrec_word, to_string=True)
gdb.events.inferior_call.connect(TmrecCalls.note)
gdb.events.before_prompt.connect(TmrecCalls.done)
for tmrec_change in ("created", "modified", "deleted"):
    getattr(gdb.events, "breakpoint_" + tmrec_change).connect(tmrec_catchpoints)
gdb.events.memory_changed.connect(tmrec_changed)
gdb.events.register_changed.connect(tmrec_changed)
tmrec_ask("tells-changes")

def tmrec_question(name, text):
    verb = name.removeprefix("info ").replace(" ", "-") + " "

    def invoke(self, words, from_tty):
        gdb.write(tmrec_ask(verb + words))

    return type("TmrecQuestion", (TmrecCommand,), {"__doc__": text, "name": name, "invoke": invoke})


for tmrec_command in TmrecCommand.__subclasses__():
    tmrec_command()
for tmrec_word, tmrec_text in TMREC_QUESTIONS.items():
    tmrec_question(tmrec_word, tmrec_text)()
