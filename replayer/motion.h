// How an event and the instructions of its task belong together, as single steps in both directions need to know.
#pragma once

#include "format/event.h"

namespace tmrec::replayer {

// The task executes instructions to come to the event: system calls that begin, faults, ticks, special instructions.
// `in_call`: it stands in a call that has not returned, where a signal comes to it.
bool comes_by_itself(const Event& event, bool in_call);

// The event sets its task to where it goes on: behind a call or an instruction, or into a handler. A single step ends
// there, whether the task came to the event by itself or it came to the task.
bool sets_task(const Event& event);

// At its place the task's count is one more than at the instruction before: also where the agent asks about an
// instruction, with a branch of its own, which a counter sees.
bool begins_tick(const Event& event);

}  // namespace tmrec::replayer
