// Which modules a program is going to load, so that their plans can be made on all CPUs before it asks for them.
//
// Problem: a program that is recorded for the first time waits for the plan of one module after the other, as its
// dynamic linker maps them, and all but one CPU are idle. Solution: at exec, what the executable needs is looked up as
// ld.so(8) mostly does it. Rejected: asking the program's own ld.so (it would have to be run, by whatever rights the
// program has); its cache file (another format to follow, for libraries that nearly always lie in the usual places).
//
// All of this is a hint: whatever is wrong costs time and nothing else.
#pragma once

#include <sys/types.h>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "format/file_io.h"
#include "recorder/elf_needs.h"

namespace tmrec::recorder {

// What the lookup depends on.
struct Surroundings {
  Fd root;                                // the directory that the program takes for its root
  std::string executable;                 // as the program sees it
  std::vector<std::string> library_path;  // LD_LIBRARY_PATH
  std::vector<std::string> preloaded;     // LD_PRELOAD

  // At a program's first instruction.
  static Surroundings of(pid_t pid);
};

class Foresight {
 public:
  struct File {
    int fd;                   // open for reading until the call returns
    const std::string& path;  // as the program sees it
    const ElfNeeds& needs;
    bool is_executable;
  };
  using Found = std::function<void(const File&)>;

  // Names the executable, open at `executable_fd`, its interpreter and all the libraries they need, the largest trees
  // cut short. Each file is named once in the life of this object, unless it changes.
  void foresee(const Surroundings& in, int executable_fd, const Found& found);
  // The file, as it is now, has been looked at.
  bool has_seen(int fd) const;

 private:
  // What tells one content of a file from another without reading it, as far as that goes.
  struct Identity {
    std::uint64_t device, inode, size;
    std::int64_t modified_s, modified_ns;
    static std::optional<Identity> of(int fd);  // of a regular file of tolerable size
    friend auto operator<=>(const Identity&, const Identity&) = default;
  };
  std::set<Identity> seen_;
};

}  // namespace tmrec::recorder
