// The agent's place in a recorded address space, byte for byte: what its own code (entry.S, calls.cc) and a supervisor
// (agent.h) must agree on. Freestanding.
//
//     kCode    read, execute   entry points first (entry.S), then what performs system calls (calls.cc)
//     kVdso    read, execute   at the end of that: the kernel's vDSO once more, behind what it reads, then Clocks
//     kBlocks  read, execute   addresses of the trampoline blocks in this space, 64 bits each, 0 at the end
//     kArguments               arguments of calls that the supervisor has a task make; of no meaning between calls
//     kFds     read, write     what is known of the space's file descriptors
//     kAreas   read, write     one area per task: what patched code uses (patch/task_area.h), registers, a stack
//     kRing    read, write     shared with the supervisor, and by all spaces that fork has made: calls performed
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/call_record.h"
#include "tracee/patch/task_area.h"

namespace tmrec::agent {

inline constexpr std::uint64_t kPage = 4096;

// In what sanitizers leave to the program, below position independent programs, as the replayer's own page
// (replayer/stub.h).
inline constexpr std::uint64_t kBase = 0x5501'1000'0000;
inline constexpr std::uint64_t kCode = kBase;
inline constexpr std::uint64_t kEntriesSize = kPage;
inline constexpr std::uint64_t kCodeSize = 64 * kPage;
inline constexpr std::uint64_t kVdsoSize = 4 * kPage;
inline constexpr std::uint64_t kVdso = kCode + kCodeSize - kVdsoSize;
inline constexpr std::uint64_t kBlocks = kCode + kCodeSize;
inline constexpr std::uint64_t kBlocksSize = 14 * kPage;
inline constexpr std::size_t kMaxBlocks = kBlocksSize / 8 - 1;
inline constexpr std::uint64_t kArguments = kBlocks + kBlocksSize;
inline constexpr std::uint64_t kArgumentsSize = kPage;
inline constexpr std::uint64_t kFds = kArguments + kArgumentsSize;
inline constexpr std::uint64_t kMaxFds = 16384;
inline constexpr std::uint64_t kFdsSize = kMaxFds * 4;
inline constexpr std::uint64_t kAreas = kFds + kFdsSize;
inline constexpr std::uint64_t kAreaSize = 2 * kPage;
inline constexpr std::size_t kMaxTasks = 16384;
inline constexpr std::uint64_t kRing = kAreas + kMaxTasks * kAreaSize;
inline constexpr std::uint64_t kRingSize = 256 * kPage;
inline constexpr std::uint64_t kEnd = kRing + kRingSize;
// Mapped at once. Until a ring is needed its place holds memory of the process's own: the handler of SIGSYS may write
// there as soon as there is one.
inline constexpr std::uint64_t kSize = kEnd - kBase;

struct SavedRegs {
  std::uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rip, flags;
};

// How a task makes its system calls.
struct Conduct {
  std::uint8_t dispatch = 0;  // the selector of Syscall User Dispatch (prctl(2)): 1, calls that the agent does not make
                              // raise SIGSYS; 0, all calls reach the kernel
  std::uint8_t specials = 0;  // what the agent may do besides: kPerformsCpuid and its like
  std::uint16_t slot = 0;     // 1 + the task's in RingHeader::slots; 0: it does not hand the baton on by itself
  std::uint32_t buffers = 0;  // what the agent does with calls: kLeaves, kPerforms or kRepeats
  std::uint32_t ask = 0;      // the supervisor wants to be asked at the next call, and at the end of this one
  std::uint32_t calls_left = 0;  // until it is asked
};

inline constexpr std::uint32_t kLeaves = 0;    // they are made where they stand
inline constexpr std::uint32_t kPerforms = 1;  // recording: performs those that it can, and records them
inline constexpr std::uint32_t kRepeats = 2;   // replay: does what the next record says

inline constexpr std::uint8_t kPerformsCpuid = 1;  // cpuid, xgetbv
inline constexpr std::uint8_t kPerformsTsc = 2;    // rdtsc, rdtscp, and the vDSO's clocks: they do not trap
// Calls that look at files are the supervisor's, which then takes back what it lent the program's environment.
inline constexpr std::uint8_t kLeavesFiles = 4;

// One of the calls that the supervisor has a task make in a row. It ends behind the last, which has no number, or the
// first that fails.
struct ScriptCall {
  std::uint64_t number;
  std::uint64_t args[6];
  std::int64_t result;
};
inline constexpr std::uint64_t kEndOfScript = ~std::uint64_t{0};
inline constexpr std::size_t kMostScriptCalls = 15;

// Functions in the agent's copy of the vDSO; 0: there is none, or it may not be called.
struct Clocks {
  std::uint64_t clock_gettime, gettimeofday, time;
};
inline constexpr std::uint64_t kClocks = kVdso + kVdsoSize - sizeof(Clocks);

inline constexpr std::size_t kMostKept = 4;

// A task's area, behind what patched code knows of it.
struct Area {
  std::uint8_t known[patch::TaskArea::kSize];
  std::uint64_t scratch_r11;
  SavedRegs remote;    // while the supervisor has the task make a call
  SavedRegs scripted;  // the same for those of `script`: behind the last the handler of SIGSYS may run, and make a call
  std::uint64_t self;
  Conduct conduct;
  ScriptCall script[kMostScriptCalls + 1];
  SavedRegs call;  // the program's registers while the agent performs a call; rip: of the system call instruction
  // 1: the agent performs a call. A handler that runs meanwhile, which no supervisor lets happen, makes its calls where
  // they stand.
  std::uint64_t performs;
  std::uint64_t result;      // of a call that waited, from SlotState::Returned on
  std::uint64_t scratch[8];  // the supervisor's
  // Signals that the supervisor keeps back, for whoever helps the task should it be killed: siginfo_t (sigaction(2)).
  std::uint64_t kept_signals;
  std::uint8_t kept[kMostKept][128];
};
inline constexpr std::uint32_t kScratchR11 = offsetof(Area, scratch_r11);
inline constexpr std::uint32_t kSaved = offsetof(Area, remote);
inline constexpr std::uint32_t kScripted = offsetof(Area, scripted);
inline constexpr std::uint32_t kSelf = offsetof(Area, self);
inline constexpr std::uint32_t kConduct = offsetof(Area, conduct);
inline constexpr std::uint32_t kCall = offsetof(Area, call);
inline constexpr std::uint32_t kPerforming = offsetof(Area, performs);
inline constexpr std::uint32_t kResult = offsetof(Area, result);
inline constexpr std::uint32_t kScratch = offsetof(Area, scratch);
inline constexpr std::uint32_t kKept = offsetof(Area, kept_signals);
inline constexpr std::uint32_t kScript = offsetof(Area, script);
// entry.S has the same numbers.
static_assert(kScratchR11 == 64 && kSaved == 72 && kScripted == 216 && kSelf == 360 && kConduct == 368 &&
              kCall == 1408 && kPerforming == 1552);
static_assert(kScript == 384 && sizeof(ScriptCall) == 64 && offsetof(ScriptCall, result) == 56);
static_assert(kRing == 0x5501'1805'f000);
static_assert(offsetof(Conduct, buffers) == 4 && offsetof(Conduct, ask) == 8 && offsetof(Conduct, calls_left) == 12);

// What is known of a descriptor, by the supervisor or by the agent that has opened it. An entry counts only with the
// ring's generation in it: whatever may change the truth of any entry (a file gets mapped, a descriptor becomes
// blocking) moves the generation on.
enum class FdClass : std::uint32_t {
  Unknown = 0,
  File = 1,      // reads never wait; no recorded space maps it; not the recording's own output
  Stream = 2,    // socket, pipe and the like, whose calls wait unless it is ready; not the recording's own output
  NoWait = 3,    // such a one with O_NONBLOCK
  ReadOnly = 4,  // a file that cannot be written to by this descriptor, and is none of /proc
  Special = 15,  // the supervisor must see its calls
};
inline constexpr std::uint32_t kClassBits = 4;

// The baton among the tasks that share a ring (tracee/agent/hand_over.h): who may run program code, and record calls.
// From kFirstHolder on, the task whose slot it is.
inline constexpr std::uint32_t kSupervisors = 0;  // the supervisor says who runs
inline constexpr std::uint32_t kFree = 1;         // all wait; whose call returns first takes it
inline constexpr std::uint32_t kLetGo = 2;        // nobody records any more
inline constexpr std::uint32_t kFirstHolder = 16;

// What a task does that has a slot. What it does in the states from Waits to Chosen needs no baton, and is all undone
// when a supervisor takes the task out of the agent (agent.h, out_of_wait).
enum class SlotState : std::uint32_t {
  Runs,      // not waiting; or about to, its call's record made
  Waits,     // in a call that has given the baton away
  Returned,  // the call has
  Ready,     // and the task sleeps until it is given the baton
  Chosen,    // which is about to happen
  Ends,      // it has the baton, and writes down how the call ended
};
struct Slot {
  SlotState state;  // also the word that a task that is Ready sleeps on
  std::uint32_t reserved;
  std::uint64_t turn;  // of those that are Ready the least is next
};
inline constexpr std::uint32_t kMaxSlots = 1024;

// Records (format/call_record.h) stand behind it.
struct RingHeader {
  std::uint64_t used;            // bytes of records
  std::uint32_t generation;      // of descriptor entries
  std::uint32_t flags;           // kReadsFsBase
  std::uint64_t room;            // for records, in bytes; at most kRecordsRoom
  std::uint64_t repeated;        // replay: bytes of records that have been repeated
  std::uint64_t repeated_calls;  // how many
  std::uint32_t baton;
  std::uint32_t last_holder;  // whose calls the next records are: a slot, or kMaxSlots
  std::uint32_t wanted;       // a task waits that only the supervisor can give the baton to
  std::uint32_t slots_used;   // no slot from here on is anybody's
  std::uint64_t turns;
  std::uint64_t changes;  // how often the baton has gone to another task, or to the supervisor
  CallWords last;         // what the next record is a change of
  Slot slots[kMaxSlots];
};
inline constexpr std::uint32_t kReadsFsBase = 1;  // the CPU and the kernel let a program read its fs base

// What a record in the ring is, in the lowest bits of its size, which are 0 in a trace.
enum class RecordKind : std::uint32_t {
  Complete,
  Enter,    // of a call in which the task gave the baton away: registers and inputs
  Exit,     // result and outputs
  Switch,   // no call: the baton went to the slot CallRecord::ret
  Special,  // no call, but an instruction: SpecialWords, as its one input
};
inline constexpr std::uint32_t kKindMask = 7;

// Of an instruction that the agent has performed, besides the words of a call.
struct SpecialWords {
  std::uint64_t block;  // TaskArea::kBlock
  std::uint64_t stop;   // TaskArea::kStop
  std::uint64_t rcx, r11;
  std::uint64_t after_rax, after_rbx, after_rcx, after_rdx, after_rip;
};

inline constexpr std::uint64_t kRecordsRoom = kRingSize - sizeof(RingHeader);
static_assert(offsetof(RingHeader, baton) == 40);  // entry.S
constexpr std::uint64_t slot_state(std::uint32_t slot) {
  return kRing + offsetof(RingHeader, slots) + slot * sizeof(Slot) + offsetof(Slot, state);
}

// The first bytes of the agent's code: where in it things are, as addresses.
struct Directory {
  std::uint64_t tick, ticked, special, special_asked, call_asked, returned, remote_call, clock, allowed, allowed_end,
      copy, copy_failed, on_sigsys, restorer, looked, looked_end, commits, committed, waited, waited_end, woken, script,
      script_asks, script_done;
};

}  // namespace tmrec::agent
