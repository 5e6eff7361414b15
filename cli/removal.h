// Removing traces, and what only they needed.
#pragma once

#include <string>
#include <vector>

#include "format/result.h"

namespace tmrec::cli {

// Traces as find_trace() understands them. Errors: Usage, BadTrace: nothing was removed; System.
Result<> remove_traces(const std::vector<std::string>& names);

}  // namespace tmrec::cli
