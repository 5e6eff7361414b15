// How one module is patched: a value that depends on the module's bytes and the options alone, so it is computed once,
// cached by content and used by recorder and replayer alike.
//
// Every cycle of control flow passes a *tick site*, where %gs:0 is decremented (task_area.h); every special instruction
// goes to the agent. Trampolines lie in one *block*, mapped at a fixed distance from the text wherever that is loaded.
// Rejected: a code cache (indirect branches pay), in-place counters without trampolines (no room), int3 (1 us each).
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "format/result.h"
#include "tracee/patch/array.h"
#include "tracee/patch/bytes.h"

namespace tmrec::patch {

// Part of the cache's key: changes whenever the same module would be patched otherwise.
inline constexpr std::uint32_t kPatcherVersion = 16;

// Where the block goes, relative to the text. Every window's rel32 has a trapping byte on top (window.h), which leaves
// these distances; the first of each kind is the place to try first. A caller whose address space is taken in one place
// makes a plan for another.
enum class Reach : std::uint8_t {
  Below,     // 64-96 MiB below the text: off brk's growth path
  FarBelow,  // 256-320 MiB below: the one for large texts
  Above,     // 1536-1600 MiB above: programs at fixed low addresses
  Below2,    // 64-80 MiB below
  FarBelow2,
  FarBelow3,
  FarBelow4,
  Farther,  // 384-448 MiB below
  Farther2,
  Farther3,
  Farther4,
  Above2,
  FarAbove,  // 1728-1792 MiB above
  FarAbove2,
};
inline constexpr std::size_t kReaches = 14;

struct PlanOptions {
  Reach reach = Reach::Below;
  bool ticks = true;   // false: the instructions below only (a PMU counts)
  bool calls = true;   // tick at calls that close cycles, and at those through pointers: recursion
  bool traps = false;  // int3 where nothing else fits
  bool copy_loops = true;
  bool syscalls = true;  // syscall instructions go to the agent
  bool specials = true;  // rdtsc, cpuid, rdrand and their like go to the agent
  friend bool operator==(const PlanOptions&, const PlanOptions&) = default;
};

enum class SiteKind : std::uint8_t {
  BackwardBranch,
  IndirectJump,
  Call,
  Syscall,
  Rdtsc,
  Rdtscp,
  Rdpid,
  Rdrand,
  Rdseed,
  Cpuid,
  Xgetbv,
  Rdpmc,
  Rdpru,
  StoreSystem,
  Xbegin,
  Vsyscall,  // loads the address of a function of the vsyscall page (vsyscall.h); without a stop
};
inline constexpr std::size_t kSiteKinds = 16;
std::string_view name_of(SiteKind kind);

enum class Method : std::uint8_t {
  None,         // left alone
  Retarget,     // the branch's own displacement
  Window,       // a jump in place of this and neighbouring instructions
  Springboard,  // the 8-bit displacement leads to a jump in padding
  Trap,         // int3
  Header,       // a window at the branch's target, or where its function is entered: whoever comes there is counted
};
inline constexpr std::size_t kMethods = 6;
std::string_view name_of(Method method);

inline constexpr std::uint32_t kNone = 0xffffffff;

// Offsets named `program` are relative to text_va, those named `block` to the start of the block.
struct Site {
  std::uint32_t program;  // the instruction
  std::uint32_t stop;     // index into stops; kNone when the method is None
  SiteKind kind;
  Method method;
  std::uint16_t length;  // of the instruction, in bytes
};

// A place where a task goes to the agent.
struct Stop {
  // Ticks: where the program is about to continue, the branch's target; for an indirect jump or call the instruction
  // itself, whose operand gives the target. Special instructions: the instruction.
  std::uint32_t program;
  // block: where the agent continues once it is done. For special instructions, the same instruction stands before it:
  // an agent that is not asked to do otherwise lets it be performed there.
  std::uint32_t resume;
  SiteKind kind;
  std::uint8_t flags_live;  // the flags that `dec` changes are the program's here
  std::uint16_t length;     // special instructions: their length
};

// What a byte of a trampoline is, at each instruction's start; until the next entry the same holds.
enum class Phase : std::uint8_t {
  Exact,    // a relocated instruction: the program's state at `program`
  Untaken,  // heading for `program`, its tick not yet counted
  Counted,  // heading for `program`, its tick counted
  Going,    // on the way to `program`, in the program's state there
  Scratch,  // like Untaken, with rcx saved at TaskArea::kScratchRcx
  Rescued,  // like Counted, with rcx saved at TaskArea::kScratchRcx
  Stub,     // in the block's common code: program says nothing, TaskArea::kStop does
};
struct Place {
  std::uint32_t block;
  std::uint32_t program;
  Phase phase;
  std::uint8_t reserved[3] = {};
};

// Bytes of the text that change: `length` bytes from `edit_bytes[bytes]` on.
struct Edit {
  std::uint32_t program, bytes, length;
};

struct Plan {
  PlanOptions options;
  std::array<std::uint64_t, 2> content{};  // xxh3 128 of the module's file
  Va text_va = 0;                          // link-time address of the text's first byte
  std::uint64_t text_offset = 0;           // of that byte in the file
  std::uint32_t text_size = 0;
  std::int64_t block_va = 0;  // link-time address of the block: page-aligned; negative for blocks below address 0
  Array<std::uint8_t> block;  // its bytes, whole pages, holes filled with int3
  Array<Edit> edits;          // in the order of addresses, not overlapping
  Array<std::uint8_t> edit_bytes;
  Array<Site> sites;  // in the order of addresses
  Array<Stop> stops;
  Array<Place> places;           // in the order of block offsets; the first is 0
  Array<Place> copies;           // those in phase Exact, in the order of (program, block)
  std::uint64_t code_bytes = 0;  // of the text known to be instructions
  bool covers_tsc = false;       // the text has no rdtsc or rdtscp but those that lead to the agent

  // Where the block lies in the encoded form: page-aligned, so that it can be mapped from a file. 0: it is not (old
  // traces).
  static constexpr std::uint64_t kBlockInFile = 4096;
  std::uint64_t block_in_file = kBlockInFile;

  std::shared_ptr<const void> memory;  // what the arrays are views of, if they are

  // Where a task is, that stands in the block.
  const Place& place_of(std::uint32_t block_offset) const;
  // Relocated copies of the instruction at this program offset: breakpoints go into each. A trap at it, when it lies
  // inside a window, goes on at the first.
  std::vector<std::uint32_t> copies_of(std::uint32_t program_offset) const;
  // Fills `copies` from `places`.
  void index_copies();
  // Applies the edits to the text's bytes. Precondition: text.size() == text_size.
  void apply(std::span<std::uint8_t> text) const;
  // Its code calls functions of vsyscall_twin(), which must be mapped.
  bool needs_vsyscall_twin() const;
  // What the edits replace, in their order and without gaps. The block carries it, so that whoever can read the
  // process's memory can undo the edits.
  Bytes originals() const;
  // The program's own bytes at [program, program + size) where edits cover all of them; empty: some are not covered.
  std::vector<std::uint8_t> original(std::uint32_t program, std::uint32_t size) const;

  std::string encode() const;
  // Error: not a plan, another version's, or damaged (a checksum covers everything, and every offset is verified).
  static Result<Plan> decode(Bytes bytes);
  // The same without a copy: the plan shows `bytes`, which `owner` keeps as they are. Aligned like a std::uint32_t.
  // `whole`: gets xxh3 128 of all the bytes, which costs nothing more.
  static Result<Plan> view(Bytes bytes, std::shared_ptr<const void> owner,
                           std::array<std::uint64_t, 2>* whole = nullptr);
};

// The text of the error for a module whose code uses %gs, which counting needs for itself: no code of a program that
// loads such a module may be patched.
inline constexpr std::string_view kUsesGs = "uses %gs";

// Error: not a module that can be patched at all; the text says why.
Result<Plan> make_plan(Bytes file, const PlanOptions& options = {});

}  // namespace tmrec::patch
