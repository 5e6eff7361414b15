// Makes ld.so bind all symbols before main, without the program's noticing.
//
// The problem: the lazy binder of glibc (_dl_runtime_resolve_xsavec) saves the vector registers with xsavec, which
// leaves out the components the CPU knows to be in their initial state. Whether it knows depends on context switches
// that replay does not repeat, so bytes on the program's stack differ from run to run, and a program that reads
// uninitialised memory behaves differently. The solution: LD_BIND_NOW=1 (ld.so(8)), which avoids the lazy binder. It
// takes the place of another variable while ld.so reads its environment, and is taken back at the first system call
// after that. Rejected: a variable added for good, which children inherit and `env` shows.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "format/event.h"
#include "tracee/remote_memory.h"

namespace tmrec::recorder {

// A slot of the environment that names another string for a while.
struct HiddenVariable {
  RemoteAddr slot;
  std::uint64_t original = 0;
};

// What the kernel put on the stack of a new program (System V ABI, 3.4.1), at the stack pointer of the first
// instruction.
struct InitialStack {
  std::vector<RemoteAddr> environment;  // addresses of the slots, without the null at the end
  struct Auxiliary {
    RemoteAddr at;  // of the type; the value follows
    std::uint64_t type = 0, value = 0;
  };
  std::vector<Auxiliary> auxiliary;
};
std::optional<InitialStack> read_initial_stack(const tracee::RemoteMemory& memory, std::uint64_t rsp);

// `variable`: the string to show. nullopt: no dynamic linker, or no variable that can give way.
std::optional<HiddenVariable> bind_early(const tracee::RemoteMemory& memory, std::uint64_t rsp, RemoteAddr variable);

// Restores the slot; returns the memory written.
Extent take_back(const tracee::RemoteMemory& memory, const HiddenVariable& hidden);

}  // namespace tmrec::recorder
