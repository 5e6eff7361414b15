// Signals as people write them on a command line.
#pragma once

#include <string>

#include "format/result.h"

namespace tmrec::cli {

// "USR2", "SIGUSR2", "usr2", "12", "RTMIN+3". Error: Usage.
Result<int> parse_signal(const std::string& text);

}  // namespace tmrec::cli
