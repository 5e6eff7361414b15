// Modules of this machine that the tests patch, and the bytes of files.
#pragma once

#include <string>
#include <vector>

#include "tracee/patch/bytes.h"

namespace tmrec::patch {

// Those of forty named modules that exist here; TMREC_PATCH_MODULES (a list with colons) replaces them.
std::vector<std::string> modules();
std::vector<std::string> absent_modules();
std::vector<std::uint8_t> contents(const std::string& path);

}  // namespace tmrec::patch
