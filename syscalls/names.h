// The names of constants: flags, enumerations, clocks, wait statuses. Only print*.cc includes this.
#pragma once

#include <cstdint>
#include <string>

#include "syscalls/row.h"

namespace tmrec::syscalls {

// Text of a value whose type has names ("O_RDONLY|O_CLOEXEC", "PROT_NONE"); empty when the type has none.
std::string named_value(Type type, std::uint64_t value);

std::string file_mode_text(std::uint32_t mode);     // "S_IFREG|0644"
std::string wait_status_text(std::int32_t status);  // "[{WIFEXITED(s) && WEXITSTATUS(s) == 0}]"
std::string poll_events_text(std::uint16_t events);
std::string epoll_events_text(std::uint32_t events);
std::string signal_code_text(int signo, int code);  // "SI_USER", "SEGV_MAPERR"
std::string socket_option_text(std::uint64_t level, std::uint64_t option);
std::string sigaction_flags_text(std::uint64_t flags);
std::string sigset_text(std::uint64_t set);  // "[INT TERM]"

}  // namespace tmrec::syscalls
