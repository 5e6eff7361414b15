// Memory of one address space, through /proc/PID/mem: one open file serves all its tasks, reads and writes ignore page
// protections, and a write below a stack makes the stack grow as an access of the program itself would (mm/memory.c,
// __access_remote_vm). process_vm_readv was rejected for both reasons.
#pragma once

#include <sys/types.h>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "format/event.h"
#include "format/file_io.h"
#include "format/result.h"

namespace tmrec::tracee {

class RemoteMemory {
 public:
  // `pid`: any task of the address space, stopped by us. The handle stays valid for the life of the address space,
  // also after that task has gone; not across an exec.
  static Result<RemoteMemory> open(pid_t pid);

  // All of it or false: an address that is not mapped, or an address space that has ended.
  bool read(std::uint64_t addr, void* to, std::size_t size) const;
  bool write(std::uint64_t addr, const void* from, std::size_t size) const;

  // As much as can be read from the start of the range.
  Bytes read_some(RemoteAddr addr, std::size_t size) const;
  std::optional<std::string> read_string(RemoteAddr addr, std::size_t limit) const;  // up to limit, without the NUL

  template <class T>
  std::optional<T> get(RemoteAddr addr) const {
    T value;
    if (!read(addr.value, &value, sizeof value)) return std::nullopt;
    return value;
  }

 private:
  explicit RemoteMemory(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

// Reads whole pages for what lies close together. For as long as nobody writes to that memory.
class ReadAhead {
 public:
  explicit ReadAhead(const RemoteMemory& memory) : memory_(memory) {}
  bool read(std::uint64_t addr, void* to, std::size_t size);
  template <class T>
  std::optional<T> get(RemoteAddr addr) {
    T value;
    if (!read(addr.value, &value, sizeof value)) return std::nullopt;
    return value;
  }

 private:
  const RemoteMemory& memory_;
  std::uint64_t at_ = 1;  // of page_; no page's address: there is none
  Bytes page_;
};

}  // namespace tmrec::tracee
