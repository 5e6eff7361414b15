// Functions of a Go program from its pclntab, which the run-time needs and stripping therefore leaves in place (Go's
// src/runtime/symtab.go, struct pcHeader, and src/internal/abi/symtab.go).
#pragma once

#include <vector>

#include "tracee/patch/elf_image.h"

namespace tmrec::patch {

struct GoFunction {
  Va begin, end;
};

// Empty when the module holds no pclntab of Go 1.16 or later.
std::vector<GoFunction> read_go_functions(const ElfImage& image);

}  // namespace tmrec::patch
