#include "format/file_io.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace tmrec {

namespace fs = std::filesystem;

void Fd::reset(int fd) {
  // close(2): the descriptor is gone whatever it returns; errno of the caller's failure is worth more than ours.
  if (fd_ >= 0) {
    const int saved = errno;
    ::close(fd_);
    errno = saved;
  }
  fd_ = fd;
}

Result<Fd> open_file(const fs::path& path, int flags, ErrorKind kind) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno(path.string(), errno, kind);
  return Fd(fd);
}

int write_all(int fd, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return EIO;  // write(2): cannot happen for a regular file and a size above zero
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return 0;
}

std::int64_t read_at(int fd, std::uint64_t offset, std::span<std::uint8_t> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n = ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<std::int64_t>(done);
}

Result<MappedFile> MappedFile::open(const fs::path& path) {
  TMREC_TRY(Fd fd, open_file(path, O_RDONLY | O_NONBLOCK));
  return of(fd.get(), path);
}

Result<MappedFile> MappedFile::of(int fd, const fs::path& path) {
  struct stat st{};
  if (::fstat(fd, &st) != 0) return fail_errno(path.string());
  if (!S_ISREG(st.st_mode)) return fail(ErrorKind::System, path.string() + ": not a regular file");
  const auto size = static_cast<std::size_t>(st.st_size);
  if (size == 0) return MappedFile(std::span<const std::uint8_t>());
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (at == MAP_FAILED) return fail_errno(path.string());
  return MappedFile(std::span(static_cast<const std::uint8_t*>(at), size));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

Result<Bytes> read_whole(const fs::path& path, std::uint64_t limit, ErrorKind kind) {
  // O_NONBLOCK: a FIFO in the place of the file must not hang us.
  TMREC_TRY(Fd fd, open_file(path, O_RDONLY | O_NONBLOCK, kind));
  struct stat st{};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(path.string(), errno, kind);
  if (!S_ISREG(st.st_mode)) return fail(kind, path.string() + ": not a regular file");
  if (static_cast<std::uint64_t>(st.st_size) > limit)
    return fail(kind, fmt::format("{}: larger than {} bytes", path.string(), limit));
  Bytes bytes(static_cast<std::size_t>(st.st_size));
  const std::int64_t n = read_at(fd.get(), 0, bytes);
  if (n < 0) return fail_errno(path.string(), errno, kind);
  bytes.resize(static_cast<std::size_t>(n));
  return bytes;
}

Result<void> write_whole(const fs::path& path, std::span<const std::uint8_t> bytes) {
  const fs::path temporary = path.string() + fmt::format(".{}.tmp", ::getpid());
  const auto give_up = [&](int err) {
    ::unlink(temporary.c_str());
    return fail_errno(path.string(), err);
  };
  TMREC_TRY(Fd fd, open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW));
  if (const int err = write_all(fd.get(), bytes)) return give_up(err);
  if (::fsync(fd.get()) != 0) return give_up(errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return give_up(errno);
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  TMREC_TRY(Fd directory, open_file(parent, O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) != 0) return fail_errno(parent.string());
  return {};
}

Result<void> make_directories(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    TMREC_CHECKED(make_directories(path.parent_path()));
    if (::mkdir(path.c_str(), 0700) == 0) return {};
  }
  const int err = errno;
  struct stat st{};
  if (err == EEXIST && ::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) return {};
  return fail_errno(path.string(), err);
}

}  // namespace tmrec
