// Values in which every field differs from its default, so that a field lost on the way shows; and their comparison.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "format/calls.h"
#include "format/event.h"
#include "format/manifest.h"
#include "format/snapshot.h"

namespace tmrec::samples {

// At least one event of every kind, numbered 1, 2, 3, …
std::vector<Event> events();
// Three system calls as the agent writes them down, and the events that they are when the first has number `first`.
CallBatch calls(const Bytes& records);
Bytes call_records();
std::vector<Event> events_of_calls(std::uint64_t first);
Snapshot snapshot();
Manifest manifest();

bool same(const Event& a, const Event& b);
// Pages are compared apart.
bool same_but_pages(const Snapshot& a, const Snapshot& b);

// A new directory under $TMPDIR, removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

Bytes contents(const std::filesystem::path& path);
void overwrite(const std::filesystem::path& path, const Bytes& bytes);

}  // namespace tmrec::samples
