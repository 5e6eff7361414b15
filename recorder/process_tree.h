// Processes and their threads, as /proc lists them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace tmrec::recorder {

// Entries of a directory whose names are numbers.
std::vector<pid_t> numbers_in(const std::string& directory);

// Of all its threads, the dead too.
std::vector<pid_t> children_of(pid_t process);

// A process and its descendants, parents first.
std::vector<pid_t> descendants(pid_t program);

// Threads of a process.
std::vector<pid_t> threads_of(pid_t process);

}  // namespace tmrec::recorder
