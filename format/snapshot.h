// One address space and the registers of one task at one position. Stored as an ELF core file
// (format/core_file.h), so that gdb opens it without tmrec.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/event.h"

namespace tmrec {

struct Mapping {
  RemoteAddr start, end;    // page aligned
  std::int32_t prot = 0;    // PROT_*
  bool shared = false;      // MAP_SHARED
  bool grows_down = false;  // a stack: grows below start on access
  MapSource source;
  std::string name;  // as in /proc/PID/maps
};

struct Snapshot {
  Tid task;
  Tid process;
  Regs regs;
  Bytes xstate;                   // XSAVE area, standard format, as NT_X86_XSTATE
  std::vector<Mapping> mappings;  // ordered, not overlapping; without the vvar pages and the agent's
  std::vector<Extent> pages;      // content that differs from the mapping's source; whole pages
  Bytes auxv;                     // as in /proc/PID/auxv
  std::string executable;
  std::vector<std::string> arguments;
  std::uint64_t brk_start = 0;    // first address of the heap
  std::uint64_t brk = 0;          // end of the heap now
  std::uint64_t stack_limit = 0;  // RLIMIT_STACK, soft, bytes; RLIM_INFINITY as in getrlimit(2)
  std::uint32_t personality = 0;  // personality(2)
};

}  // namespace tmrec
