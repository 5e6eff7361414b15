#include "tracee/cache_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <ctime>

namespace tmrec::tracee {

namespace {

std::string temporary_name() {
  static std::atomic<unsigned> counter = 0;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);  // another container may share the directory and our process id
  return fmt::format(".{}-{}-{:x}{}", ::getpid(), counter++, now.tv_sec * 1'000'000'000 + now.tv_nsec,
                     kTemporarySuffix);
}

}  // namespace

// open(2) follows links to the directory: people move their caches. What counts is whose it is.
bool is_private(const struct stat& st) { return st.st_uid == ::geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0; }

CacheFile open_cache_file(int directory, const std::string& name) {
  // O_NONBLOCK: a FIFO in the place of the file must not hang us.
  auto file =
      std::make_shared<const Fd>(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat st {};
  if (!*file || ::fstat(file->get(), &st) != 0 || !S_ISREG(st.st_mode) || !is_private(st) || st.st_size <= 0) return {};
  return {std::move(file), static_cast<std::uint64_t>(st.st_size)};
}

bool write_cache_file(int directory, const std::string& name, std::initializer_list<patch::Bytes> parts) {
  const std::string temporary = temporary_name();
  const Fd fd(::openat(directory, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return false;
  const bool written = ::fchmod(fd.get(), 0400) == 0 &&  // whatever the umask is
                       std::ranges::all_of(parts, [&](patch::Bytes part) { return write_all(fd.get(), part) == 0; }) &&
                       ::renameat(directory, temporary.c_str(), directory, name.c_str()) == 0;
  if (!written) ::unlinkat(directory, temporary.c_str(), 0);
  return written;
}

}  // namespace tmrec::tracee
