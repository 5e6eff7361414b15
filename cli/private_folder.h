// A temporary directory that is gone when the last process that uses it is, however that ended.
//
// Problem: what a pack holds is unpacked for the time of a replay. It is somebody's memory and input and output in the
// clear, perhaps decrypted for this once, and large. Under a debugger the process that unpacked it becomes gdb, and any
// of them may be killed.
// Solution: a process of its own waits for the end of a pipe that nobody writes to. The users of the directory hold the
// other end, which the kernel closes when they die; then it removes the directory.
// Rejected: a cache of unpacked packs. It would have to be bounded, locked and looked after, and leave traces in the
// clear where nobody looks for them; unpacking costs about a second for each gigabyte. Who opens a pack often unpacks
// it (`tar --zstd -xf`) and replays the directory.
#pragma once

#include <cstdint>
#include <filesystem>

#include "format/file_io.h"
#include "format/result.h"

namespace tmrec::cli {

class PrivateFolder {
 public:
  // A new directory, mode 0700, on a file system with room for `bytes`: in $TMPDIR if that is set; else in /var/tmp,
  // /tmp or `beside`, the first that will do. Processes forked while the object lives are its users as well, until they
  // execute another program. Machine: no room anywhere.
  static Result<PrivateFolder> create(std::uint64_t bytes, const std::filesystem::path& beside);
  PrivateFolder(PrivateFolder&& other) noexcept;
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  PrivateFolder& operator=(PrivateFolder&&) = delete;
  // In the process that created it: waits until the directory is gone, unless others use it.
  ~PrivateFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  PrivateFolder(std::filesystem::path path, Fd use, pid_t remover);
  std::filesystem::path path_;
  Fd use_;
  pid_t owner_, remover_;
};

}  // namespace tmrec::cli
