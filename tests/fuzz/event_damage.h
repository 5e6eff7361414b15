// Damages the events of a trace the way a forger would: every record can be decoded or nearly so, and says what no
// recorder ever wrote.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/event.h"
#include "tests/fuzz/mutate.h"

namespace tmrec::fuzz {

// The records of a log, encoded, with one to three damages; `what` names them. Times stay as recorded: a trace may say
// that a task computed for an hour, and is believed.
std::vector<Bytes> damaged_records(const std::vector<Event>& events, Random& random, std::string& what);

// An address or a size that tends to go wrong.
std::uint64_t evil_number(Random& random);

}  // namespace tmrec::fuzz
