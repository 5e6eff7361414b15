// A hash of a range of memory that does not depend on which of its pages happen to exist: an untouched page of a sparse
// mapping and a page of zeros are the same to the program, so both count as nothing. Untouched pages are found through
// /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst), so that a reserved terabyte costs no reading.
#pragma once

#include <sys/types.h>
#include <cstdint>
#include <vector>

#include "tracee/remote_memory.h"

namespace tmrec::tracee {

class PresentPages {
 public:
  explicit PresentPages(pid_t pid);
  ~PresentPages();
  PresentPages(const PresentPages&) = delete;
  PresentPages& operator=(const PresentPages&) = delete;

  struct Run {
    RemoteAddr start, end;
  };
  // Runs of pages that exist (in memory or swapped out) within the range; the whole range when that can't be known.
  std::vector<Run> in(RemoteAddr start, RemoteAddr end) const;
  // Pages the process has a copy of its own of (private pages written to), within the range.
  std::vector<Run> private_in(RemoteAddr start, RemoteAddr end) const;

 private:
  // Asks the kernel for the runs; false where it can't say.
  bool scan(RemoteAddr start, RemoteAddr end, bool private_only, std::vector<Run>& found) const;
  std::vector<Run> runs(RemoteAddr start, RemoteAddr end, bool private_only) const;
  int fd_;
};

// `shared`: pages of shared mappings exist without being present here, so all are read.
std::uint64_t hash_range(const RemoteMemory& memory, const PresentPages& present, RemoteAddr start, RemoteAddr end,
                         bool shared);

}  // namespace tmrec::tracee
