// Text for desync reports.
#pragma once

#include <string>

#include "format/event.h"

namespace tmrec::replayer {

// "rdi is 0x3, recorded 0x4"
std::string first_difference(const Regs& actual, const Regs& expected);
// All of them, a line each.
std::string differing_registers(const Regs& actual, const Regs& expected);
// An event, as `tmrec dump` shows it.
std::string one_line(const Event& event);

}  // namespace tmrec::replayer
