// Files with errors that name them. All offsets and sizes in bytes; descriptors are close-on-exec, new files have mode
// 0600.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>

#include "format/event.h"
#include "format/result.h"

namespace tmrec {

// Owns a file descriptor; -1: none.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Fd& operator=(Fd&& o) noexcept {
    if (this != &o) reset(std::exchange(o.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// open(2) with O_CLOEXEC; the error text begins with the path, its kind is `kind`.
Result<Fd> open_file(const std::filesystem::path& path, int flags, ErrorKind kind = ErrorKind::System);

// All of `bytes` at the descriptor's offset. 0 or an errno.
int write_all(int fd, std::span<const std::uint8_t> bytes);

// Reads until `into` is full or the file ends; returns the bytes read, or -1 with errno.
std::int64_t read_at(int fd, std::uint64_t offset, std::span<std::uint8_t> into);

// A whole regular file of at most `limit` bytes. Errors are of kind `kind`.
Result<Bytes> read_whole(const std::filesystem::path& path, std::uint64_t limit, ErrorKind kind);

// The content of a regular file, mapped read-only for the life of the object. Reading it after somebody has truncated
// the file is a SIGBUS: only for files that are ours.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::filesystem::path& path);
  // Of an open file, whose name is for errors.
  static Result<MappedFile> of(int fd, const std::filesystem::path& path);
  MappedFile(MappedFile&& o) noexcept : bytes_(std::exchange(o.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& o) noexcept {
    std::swap(bytes_, o.bytes_);
    return *this;
  }
  ~MappedFile();

  std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::span<const std::uint8_t> bytes_;
};

// Replaces `path` by `bytes` at once and durably: a reader sees the old content or the new, also after a power failure.
Result<void> write_whole(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);

// Makes the directory and its missing parents with mode 0700. It may exist.
Result<void> make_directories(const std::filesystem::path& path);

}  // namespace tmrec
