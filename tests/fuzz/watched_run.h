// Runs a command and keeps hold of everything it leaves behind.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace tmrec::fuzz {

struct WatchedRun {
  int status = 0;  // exit status; 128 + N after signal N
  bool signalled = false;
  bool timed_out = false;
  int survivors = 0;         // processes that had to be ended after it
  long max_resident_kb = 0;  // of the command and what it waited for
  std::string errors;        // its standard error, up to 64 KiB
};

// Makes this process the one that inherits orphans. Once, before run_watched().
void adopt_orphans();

// Standard input and output are /dev/null. `scratch`: a directory for standard error. Ends everything after `limit`.
WatchedRun run_watched(const std::vector<std::string>& argv, std::chrono::seconds limit,
                       const std::filesystem::path& scratch);

}  // namespace tmrec::fuzz
