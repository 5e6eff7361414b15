// Text for people: one line for an event, as readable as strace. Used by `tmrec dump` and by desync reports.
#pragma once

#include <cstdint>
#include <string>

#include "format/event.h"

namespace tmrec::syscalls {

// `openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3`. Sees memory only through the event's extents; what is not
// there is shown as an address. An Enter phase ends in `= ... (waiting)`, an Exit phase begins with `... `.
std::string describe(const SyscallEvent& event);

// `SIGUSR1 {si_code=SI_USER, si_pid=12, si_uid=0} -> handler 0x401136`
std::string describe(const SignalEvent& event);

std::string signal_name(int signo);  // "SIGINT", "SIGRTMIN+3", the number itself for none
std::string errno_name(int error);   // "ENOENT", "ERESTARTSYS"; the number itself for none

}  // namespace tmrec::syscalls
