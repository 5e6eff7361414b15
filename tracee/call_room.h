// A place for remote calls (remote_call.h) in a process that nobody has prepared: behind the end of the vdso's image,
// in the process's own copy of that page. The code restores registers from the room itself, and goes back to where the
// task was, so a task whose supervisor is killed in the middle of a call goes on as if nothing had been. It uses no
// stack: what lies below rsp belongs to the program.
//
// Rejected: the padding of the vdso's ELF header holds a system call and an int3 and nothing else; the entries of the
// vdso are where tasks may stand.
#pragma once

#include <optional>

#include "format/regs.h"
#include "tracee/remote_memory.h"

namespace tmrec::tracee {

// Finds or makes the room. nullopt: the image fills its pages.
std::optional<RemoteAddr> make_call_room(const RemoteMemory& memory, RemoteAddr vdso, std::uint64_t size);

// Where in an image of that size the room begins.
std::size_t call_room_offset(std::uint64_t size);
// Behind the room's call: registers are restored from there.
RemoteAddr behind_call_in(RemoteAddr room);

// Saves the registers that a task, left alone behind the room's call, goes back to; one task at a time. False: `at` is
// no such room.
bool save_in_call_room(const RemoteMemory& memory, RemoteAddr at, const Regs& regs);

// The registers that a task has once it was made to leave the room without a supervisor; nullopt: it is not there.
std::optional<Regs> leave_call_room(const RemoteMemory& memory, RemoteAddr at, const Regs& regs);

}  // namespace tmrec::tracee
