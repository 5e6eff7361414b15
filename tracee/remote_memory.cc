#include "tracee/remote_memory.h"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace tmrec::tracee {

Result<RemoteMemory> RemoteMemory::open(pid_t pid) {
  std::string path = fmt::format("/proc/{}/mem", pid);
  int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return fail_errno("cannot open " + path + " to reach the program's memory");
  return RemoteMemory(Fd(fd));
}

bool RemoteMemory::read(std::uint64_t addr, void* to, std::size_t size) const {
  auto* out = static_cast<std::uint8_t*>(to);
  while (size > 0) {
    ssize_t n = pread(file_.get(), out, size, static_cast<off_t>(addr));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    out += n;
    addr += static_cast<std::uint64_t>(n);
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool RemoteMemory::write(std::uint64_t addr, const void* from, std::size_t size) const {
  const auto* in = static_cast<const std::uint8_t*>(from);
  while (size > 0) {
    ssize_t n = pwrite(file_.get(), in, size, static_cast<off_t>(addr));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    in += n;
    addr += static_cast<std::uint64_t>(n);
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

Bytes RemoteMemory::read_some(RemoteAddr addr, std::size_t size) const {
  Bytes bytes(size);
  std::size_t have = 0;
  while (have < size) {
    ssize_t n = pread(file_.get(), bytes.data() + have, size - have, static_cast<off_t>(addr.value + have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

std::optional<std::string> RemoteMemory::read_string(RemoteAddr addr, std::size_t limit) const {
  std::string text;
  while (text.size() < limit) {
    std::size_t in_page = kPageSize - (addr.value % kPageSize);
    Bytes part = read_some(addr, std::min({in_page, limit - text.size(), std::size_t{256}}));
    if (part.empty()) return std::nullopt;
    const void* nul = std::memchr(part.data(), 0, part.size());
    if (nul != nullptr) {
      return text.append(reinterpret_cast<const char*>(part.data()),
                         static_cast<const std::uint8_t*>(nul) - part.data());
    }
    text.append(reinterpret_cast<const char*>(part.data()), part.size());
    addr = addr + part.size();
  }
  return text;
}

bool ReadAhead::read(std::uint64_t addr, void* to, std::size_t size) {
  const std::uint64_t page = addr & ~(kPageSize - 1);
  const std::uint64_t offset = addr - page;
  if (offset + size > kPageSize) return memory_.read(addr, to, size);
  if (page != at_) {
    page_ = memory_.read_some(RemoteAddr(page), kPageSize);
    at_ = page;
  }
  if (offset + size > page_.size()) return memory_.read(addr, to, size);
  std::memcpy(to, page_.data() + offset, size);
  return true;
}

}  // namespace tmrec::tracee
