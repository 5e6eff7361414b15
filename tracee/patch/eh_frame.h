// The functions a module's unwind information names, and where exceptions land in them (LSB core, "Exception Frames";
// the call-site table of .gcc_except_table is GCC's, unwind-pe.h and except.cc describe it).
//
// Own parser: libdw's answers about one address at a time are too slow for a whole module, and it doesn't read LSDAs.
#pragma once

#include <vector>

#include "tracee/patch/elf_image.h"

namespace tmrec::patch {

struct Fde {
  Va begin, end;
  bool signal_frame;  // augmentation 'S': a sigreturn trampoline, whose bytes unwinders compare
};

struct UnwindInfo {
  std::vector<Fde> functions;    // in the order of the file; hostile input may make them overlap
  std::vector<Va> landing_pads;  // entries by __cxa_begin_catch and the like, and of cleanups
};

UnwindInfo read_unwind_info(const ElfImage& image);

}  // namespace tmrec::patch
