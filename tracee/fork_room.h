// A place from which a stopped task forks for the supervisor, in a process that nobody has prepared: behind the end of
// the vdso's image, in front of the room for other calls (call_room.h). Parent and child of a fork go on at the same
// instruction, and the child must never go on as a second program. It is traced from its birth and never resumed; but
// the supervisor may be killed before it could say that the child is to die with it. So the code behind the call ends a
// process that finds itself to be the child. It leaves flags alone: the program may be stopped anywhere.
#pragma once

#include <optional>

#include "format/regs.h"
#include "format/types.h"
#include "tracee/remote_memory.h"

namespace tmrec::tracee {

// Makes the room; the parent goes on at `parent`. nullopt: the image has no space for it.
std::optional<RemoteAddr> make_fork_room(const RemoteMemory& memory, RemoteAddr vdso, std::uint64_t size,
                                         RemoteAddr parent);

// Whether that is a child in the room, which ends there if it is left alone.
bool ends_in_fork_room(const RemoteMemory& memory, RemoteAddr vdso, std::uint64_t size, const Regs& regs);

// The registers of a parent that is still in the room, as if it had just left it; nullopt: it is not there.
std::optional<Regs> leave_fork_room(const RemoteMemory& memory, RemoteAddr vdso, std::uint64_t size, const Regs& regs);

}  // namespace tmrec::tracee
