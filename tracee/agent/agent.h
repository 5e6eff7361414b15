// The agent's place in a recorded address space, and the areas of its tasks.
//
// Problem: patched code must find a counter of its own task, and a way to a supervisor, in any program: static, Go,
// without libc, whatever it does with its registers. Solution: one region at a fixed address, mapped when a program
// starts; each task's %gs points to its area there (no 64-bit program of Linux needs %gs; one that sets it is noticed).
// Rejected: thread-local storage of the program's libc, which not every program has.
#pragma once

#include <cstdint>
#include <optional>

#include "format/regs.h"
#include "format/types.h"
#include "tracee/patch/task_area.h"
#include "tracee/patched_space.h"
#include "tracee/remote_memory.h"

namespace tmrec::agent {

// Moves with every change of the region's layout or of what its code does.
inline constexpr std::uint32_t kAbi = 1;

// In what sanitizers leave to the program, below position independent programs, as the replayer's own page
// (replayer/stub.h).
inline constexpr std::uint64_t kBase = 0x5501'1000'0000;
inline constexpr std::uint64_t kCode = kBase;  // read and execute
inline constexpr std::uint64_t kCodeSize = kPageSize;
// Addresses of the trampoline blocks in this space, 64 bits each, 0 at the end; read only.
inline constexpr std::uint64_t kBlocks = kBase + kPageSize;
inline constexpr std::uint64_t kBlocksSize = 14 * kPageSize;
inline constexpr std::size_t kMaxBlocks = kBlocksSize / 8 - 1;
// Arguments of calls that the supervisor has a task make (paths); read only, and of no meaning between calls.
inline constexpr std::uint64_t kArguments = kBlocks + kBlocksSize;
inline constexpr std::uint64_t kArgumentsSize = kPageSize;
inline constexpr std::uint64_t kAreas = kArguments + kArgumentsSize;  // read and write
inline constexpr std::uint64_t kAreaSize = 256;
inline constexpr std::size_t kMaxTasks = 16384;
inline constexpr std::uint64_t kEnd = kAreas + kMaxTasks * kAreaSize;
inline constexpr std::uint64_t kSize = kEnd - kBase;

// Of a task's area, behind what patched code knows.
inline constexpr std::uint32_t kScratchR11 = patch::TaskArea::kSize;
inline constexpr std::uint32_t kSaved = kScratchR11 + 8;  // SavedRegs, while the supervisor has the task make a call

struct SavedRegs {
  std::uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rip, flags;
};
static_assert(kSaved + sizeof(SavedRegs) <= kAreaSize);

constexpr bool overlaps(std::uint64_t start, std::uint64_t end) { return start < kEnd && end > kBase; }
constexpr RemoteAddr area(std::size_t index) { return RemoteAddr(kAreas + index * kAreaSize); }
constexpr bool is_area(std::uint64_t addr) { return addr >= kAreas && addr < kEnd && (addr - kAreas) % kAreaSize == 0; }

// Fills in the region once it is mapped (any protection will do). False: the memory is not there.
bool install(const tracee::RemoteMemory& memory);
// Makes an area ready for a task, its counter at `ticks`.
bool prepare_area(const tracee::RemoteMemory& memory, RemoteAddr area, std::uint64_t ticks);

// Tasks are only stopped at ticks that are multiples of this. A counter's low byte is then the same at recording and at
// replay whatever the two count down to, and with it the flags that counting leaves behind: they are dead where ticks
// are counted, but a program may still save them somewhere (pushf, a system call's r11).
inline constexpr std::uint64_t kStopEvery = 256;
constexpr std::uint64_t next_stop(std::uint64_t ticks) { return (ticks + kStopEvery - 1) & ~(kStopEvery - 1); }

std::optional<std::uint64_t> counter(const tracee::RemoteMemory& memory, RemoteAddr area);
bool set_counter(const tracee::RemoteMemory& memory, RemoteAddr area, std::uint64_t ticks);

// Address of a syscall instruction behind which the task, left alone, goes back to the saved registers.
RemoteAddr call_address();
// False: the memory is not there.
bool save_regs(const tracee::RemoteMemory& memory, RemoteAddr area, const Regs& regs);

// What a task, stopped at a system call, asks with it.
enum class Question { None, Tick, Special };
Question question_of(const Regs& at_call);

// The program's state behind a question.
struct Asked {
  Regs regs;  // at kResume
  std::uint64_t block = 0;
  std::uint32_t stop = 0;  // index into the plan's stops
};
// With the flags of a tick as if the counter had not become 0.
std::optional<Asked> program_state(const tracee::RemoteMemory& memory, const tracee::PatchedSpace& patches,
                                   RemoteAddr area, const Regs& at_call);

}  // namespace tmrec::agent
