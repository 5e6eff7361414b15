// Which plan of a module is asked for, and in which order: one answer for patching and for what is prepared.
#pragma once

#include <span>

#include "format/types.h"
#include "tracee/patch/plan.h"

namespace tmrec::recorder {

// `syscalls`: for the agent; otherwise their stops find them as they are. `ticks`: counted in software.
patch::PlanOptions plan_options(patch::Reach reach, bool syscalls, bool ticks);

// For a module whose text is mapped from `start`; never empty.
std::span<const patch::Reach> reaches_at(RemoteAddr start);

// The first of them that has room for a text of this size, in bytes.
patch::Reach first_reach(RemoteAddr start, std::uint64_t text_size);

}  // namespace tmrec::recorder
