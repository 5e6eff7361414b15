// What must be read when a call is entered, because the kernel overwrites it: lengths that are value and result in one.
#pragma once

#include <cstdint>

namespace tmrec::syscalls {

struct EntryNotes {
  std::uint64_t capacity = 0;  // bytes or elements there is room for; of a message: of its name
  std::uint64_t second = 0;    // of a message: room for control data; of PROCMAP_QUERY: for the build id
  // Set by the recorder once the program has opened a file with O_DIRECT (see opens_direct): direct reads fill whole
  // blocks, past the end of the file and so past the returned length (fs/iomap/direct-io.c).
  bool whole_buffers = false;
};

}  // namespace tmrec::syscalls
