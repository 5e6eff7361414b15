// Every address that may be reached other than by a direct branch or by falling through.
//
// Problem: a window that replaces several instructions must not be entered in its middle, and compilers take code
// addresses in many ways. Solution: mark generously whatever could be a code address (a mark too many costs one
// choice of window): landing pads, `lea` of code, relocations, words of data that point into the text, jump tables with
// 32-bit offsets relative to the table or to a label, immediates of programs at fixed addresses, symbols, function
// starts. What is missed even so hits a trapping byte (window.h).
#pragma once

#include "tracee/patch/code_map.h"

namespace tmrec::patch {

// A bit per byte of the text.
Bits find_hidden_entries(const ElfImage& image, const UnwindInfo& unwind, const CodeMap& code);

}  // namespace tmrec::patch
