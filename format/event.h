// What the log consists of. One totally ordered stream for the whole recording (all processes and threads): whoever
// holds the baton appends. An event's position is where its task stands when replay must act on it.
//
// These are the decoded forms; format/codec.h turns them to bytes and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "format/regs.h"
#include "format/types.h"

namespace tmrec {

using Bytes = std::vector<std::uint8_t>;

// A run of tracee memory. `input` marks memory the call read (kept, shortened, for `dump` and compared at replay);
// otherwise the kernel wrote it and replay writes it too.
struct Extent {
  RemoteAddr addr;
  Bytes bytes;
  bool input = false;
};

// Name of a blob: XXH3-128 of its content, as 32 lower-case hexadecimal digits. Empty: none.
struct BlobId {
  std::string hex;
  friend bool operator==(const BlobId&, const BlobId&) = default;
};

// Number of a mapped object (an inode at one time of its life, a System V segment) within a trace; 0: none. All
// mappings of one backing see each other's shared writes and the file's changes.
using BackingId = Strong<struct BackingTag, std::uint32_t>;

// What a memory mapping shows. Offsets and sizes in bytes.
struct MapSource {
  enum class Kind : std::uint8_t { Anonymous, SharedAnonymous, File } kind = Kind::Anonymous;
  BackingId backing;         // File: which object
  BlobId blob;               // File: its content when it was mapped (all of the file); empty: as the log has made it
  std::uint64_t offset = 0;  // File: offset of the mapping in the object
  std::uint64_t size = 0;    // File: size of the object
  std::string path;          // File: as in /proc/PID/maps, for people and for gdb
};

// A change to a mapped object made by a file operation (write, ftruncate, hole): visible in every mapping of it.
struct FileChange {
  BackingId backing;
  std::uint64_t offset = 0;
  Bytes bytes;
  std::optional<std::uint64_t> new_size;  // the object was truncated or extended to this size, before the bytes
};

enum class Stream : std::uint8_t { None = 0, Stdout = 1, Stderr = 2 };

// A system call. Complete: entered and left with the baton held all along. Enter: it gave the baton away inside the
// kernel; an Exit of the same task follows unless the task dies.
struct SyscallEvent {
  enum class Phase : std::uint8_t { Complete, Enter, Exit } phase = Phase::Complete;
  Regs regs;                     // at entry (rax = -ENOSYS as the kernel shows it, orig_rax = number); Exit: the same
  std::int64_t ret = 0;          // rax at exit, kernel-internal restart codes (-512..-516) included
  std::vector<Extent> extents;   // inputs (Complete, Enter) and outputs (Complete, Exit; PI futex words at Enter)
  Stream stream = Stream::None;  // the call wrote to the recording's own standard output or error
  Bytes stream_bytes;            // what it wrote there, only where the bytes did not come from program memory
  std::optional<MapSource> mapping;  // for calls that made a mapping
  std::vector<FileChange> changes;
  std::optional<Regs>
      after;           // full registers at exit where the call sets more than rax, rcx, r11 (rt_sigreturn, arch_prctl)
  Bytes xstate;        // extended state at exit, where the call sets it (rt_sigreturn); XSAVE standard format
  bool noted = false;  // recorded by a general rule, not by a row of its own (unknown ioctl)
};

// The policy gave the baton to another task.
struct SwitchEvent {
  enum class Reason : std::uint8_t { Blocked, Yield, SliceEnd, Exit, Stopped } reason = Reason::Blocked;
  Tid to;
};

// A signal reached a task. `before` is where; what happened then is `action`.
struct SignalEvent {
  enum class Action : std::uint8_t { Handler, Ignored, Fatal, Stop } action = Action::Handler;
  std::int32_t signo = 0;
  Bytes siginfo;             // struct siginfo_t, 128 bytes
  bool synchronous = false;  // raised by the instruction at before.rip: replay raises it by itself and is compared
  bool at_syscall = false;   // the task stands in front of a syscall instruction that has not been performed
  Regs before;
  Regs after;    // Handler: at the handler's first instruction
  Extent frame;  // Handler: the signal frame the kernel wrote
  Bytes xstate;  // Handler: extended state at the handler's first instruction
};

// A new task. The parent's syscall event precedes it.
struct CloneEvent {
  Tid child;
  Tid child_process;                 // leader of its thread group
  std::uint64_t flags = 0;           // CLONE_*, without the exit signal
  Regs child_regs;                   // at its first stop in user mode
  std::vector<Extent> child_memory;  // CLONE_CHILD_SETTID
  Ticks child_ticks;                 // what its count begins with
};

// A new program image. The address space is replaced by the snapshot.
struct ExecEvent {
  std::string snapshot;  // file name in the trace
  std::string program;
  std::vector<std::string> arguments;  // for people: dump, info
  Tid former;            // the thread that called execve, when it was not the leader and took over the leader's id
  bool counted = false;  // the address space has the agent, and its code counts ticks
};

// A task ended. The kernel's own writes at exit (clear_child_tid, robust futexes) are `memory`.
struct ExitEvent {
  std::int32_t status = 0;     // wait(2) status
  bool process_ended = false;  // the last task of its process
  std::vector<Extent> memory;
};

// An instruction whose result no replay can know, performed by the supervisor.
struct InstructionEvent {
  enum class Kind : std::uint8_t { Rdtsc, Rdtscp, Cpuid, Rdpid, Rdrand, Rdseed, Xgetbv, Other } kind = Kind::Rdtsc;
  Regs before;
  Regs after;  // Other: the task performs the instruction itself, at after.rip
};

// Hashes of the writable memory of the event's task.
struct CheckEvent {
  struct Range {
    RemoteAddr start, end;
    std::uint64_t hash = 0;
  };
  Regs regs;
  std::vector<Range> ranges;
};

// The task was stopped at a tick, Event::ticks, in the middle of a computation: for a switch or a signal that follows.
struct TickEvent {
  Regs regs;  // where it goes on
};

// The code of a module was changed in the memory of the event's task (tracee/patch).
struct PatchEvent {
  enum class Kind : std::uint8_t {
    Applied,   // trampolines mapped, text edited
    Undone,    // the text is the file's again; the trampolines stay, since tasks may be there
    Unmapped,  // the text is gone, and the trampolines with it
  } kind = Kind::Applied;
  RemoteAddr text, block;
  BlobId plan;         // Applied: a patch::Plan, encoded
  std::string module;  // path, for people
};

// A process that the recording joins in the middle of its life. Its address space is the snapshot. A thread that waits
// in a system call is where an interrupted one stands (SyscallEvent::ret), and the kernel makes the call again.
struct AttachEvent {
  struct Thread {
    Tid tid;
    Regs regs;
    Bytes xstate;  // XSAVE standard format
    Ticks ticks;   // what its count begins with
  };
  // What fork does with a piece of memory, if not copy it (madvise(2)).
  struct ForkAdvice {
    RemoteAddr start;
    std::uint64_t size = 0;
    std::int32_t advice = 0;
  };
  Tid process;           // its leader, which may have ended
  std::string snapshot;  // file name in the trace
  std::string program;
  std::vector<std::string> arguments;
  std::vector<Thread> threads;  // those that live; the event's own task first
  std::vector<ForkAdvice> fork_advice;
  bool counted = false;  // the address space has the agent, and its code counts ticks
};

// The state of the whole recording between two events. A log whose beginning was dropped (recorder/window.h) begins
// with one, and so does its replay; a replay that comes from before passes it by.
struct StartEvent {
  struct Thread {
    Tid tid;
    Regs regs;
    Bytes xstate;  // XSAVE standard format
    Ticks ticks;   // made so far
    RemoteAddr area;
    Bytes scratch;          // what patched code has in the area
    bool in_call = false;   // regs are those of SyscallEvent::Enter; its Exit is still to come
    bool restarts = false;  // SyscallEvent::ret of its last call, which is made again
  };
  struct Module {
    RemoteAddr text, block;
    BlobId plan;         // a patch::Plan, encoded
    std::string module;  // path, for people
    bool undone = false;
  };
  struct Process {
    Tid process;           // its leader, which may have ended
    std::string snapshot;  // file name in the trace; of text, what the files say
    std::string program;
    std::vector<std::string> arguments;
    std::vector<Thread> threads;  // those that live
    std::vector<AttachEvent::ForkAdvice> fork_advice;
    std::vector<Module> modules;  // that are patched
    bool counted = false;         // the address space has the agent
  };
  std::vector<Process> processes;
  Tid first;  // the recording's first process, which may have ended
};

// A gap: from here on, the event's task did what can't be repeated (it was stopped where no replay finds it). What
// follows is known up to the next StartEvent, where a replay goes on, and is not replayed.
struct GapEvent {
  std::string reason;
};

// The last event: why the recording ended. Missing when the supervisor was killed.
struct EndEvent {
  std::string reason;  // empty: the program ended
};

using EventBody = std::variant<SyscallEvent, SwitchEvent, SignalEvent, CloneEvent, ExecEvent, ExitEvent,
                               InstructionEvent, CheckEvent, EndEvent, TickEvent, PatchEvent, AttachEvent, StartEvent, GapEvent>;

struct Event {
  EventNo no;
  Tid tid;
  Ticks ticks;
  std::uint64_t time_ns = 0;  // CLOCK_MONOTONIC since the start of the recording
  EventBody body;
};

}  // namespace tmrec
