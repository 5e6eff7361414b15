// System calls of a diversion.
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include <fmt/format.h>

#include "replayer/diversion.h"
#include "replayer/stub.h"
#include "syscalls/table.h"

namespace tmrec::replayer {

namespace {

constexpr std::size_t kMostOutput = 1 << 16;  // what a debugger is told at once

// Its result in the program's memory.
template <class T>
std::int64_t store(const Task& task, std::uint64_t to, const T& value) {
  return to == 0 || task.space->memory().write(to, &value, sizeof value) ? 0 : -EFAULT;
}

// What a diversion runs by.
bool is_ours(std::uint64_t start, std::uint64_t size) {
  const std::uint64_t end = start + size;
  return end < start || agent::overlaps(start, end) || (start < kStubPage + kStubSize && end > kStubPage);
}

}  // namespace

std::int64_t Diversion::answer_write(Task& task, std::uint64_t number, const std::uint64_t (&args)[6]) {
  if (args[0] != STDOUT_FILENO && args[0] != STDERR_FILENO) return -EBADF;
  std::vector<iovec> pieces{{reinterpret_cast<void*>(args[1]), static_cast<std::size_t>(args[2])}};
  if (number == SYS_writev) {
    pieces.clear();
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(args[2], IOV_MAX); ++i) {
      const auto piece = task.space->memory().get<iovec>(RemoteAddr(args[1] + i * sizeof(iovec)));
      if (!piece) return -EFAULT;
      pieces.push_back(*piece);
    }
  }
  std::int64_t written = 0;
  for (const iovec& piece : pieces) {
    const std::size_t most = std::min(piece.iov_len, kMostOutput);
    const Bytes bytes =
        task.space->memory().read_some(RemoteAddr(reinterpret_cast<std::uint64_t>(piece.iov_base)), most);
    if (bytes.size() < most) return -EFAULT;
    output_.append(bytes.begin(), bytes.end());
    written += static_cast<std::int64_t>(piece.iov_len);
  }
  if (output_.size() > kMostOutput) output_.erase(0, output_.size() - kMostOutput);
  return written;
}

// nullopt: a call of another kind.
std::optional<std::int64_t> Diversion::answer_memory(Task& task, std::uint64_t number, const std::uint64_t (&args)[6]) {
  switch (number) {
    case SYS_mmap:
      if ((args[3] & MAP_ANONYMOUS) == 0) return -EACCES;
      if (is_ours(args[0], args[1])) return -EINVAL;
      return call_in_stub(*task.stub, SYS_mmap, {args[0], args[1], args[2], args[3], args[4], args[5]});
    case SYS_mremap:
      if (is_ours(args[0], args[1]) || ((args[3] & MREMAP_FIXED) != 0 && is_ours(args[4], args[2]))) return -EINVAL;
      return call_in_stub(*task.stub, SYS_mremap, {args[0], args[1], args[2], args[3], args[4]});
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_madvise:
      if (is_ours(args[0], args[1])) return -EINVAL;
      return call_in_stub(*task.stub, static_cast<std::int64_t>(number), {args[0], args[1], args[2]});
    case SYS_brk: {
      const std::uint64_t now = task.space->heap_end(), wanted = args[0];
      if (wanted <= now) return static_cast<std::int64_t>(now);
      const bool grown =
          task.space->perform(*task.stub, SYS_brk, args, static_cast<std::int64_t>(wanted), {}, session_->objects())
              .has_value();
      return static_cast<std::int64_t>(grown ? wanted : now);
    }
    default:
      return std::nullopt;
  }
}

std::optional<std::int64_t> Diversion::answer_query(Task& task, std::uint64_t number, const std::uint64_t (&args)[6]) {
  switch (number) {
    case SYS_getpid:
      return task.process.value;
    case SYS_gettid:
      return task.tid.value;
    case SYS_getuid:
    case SYS_geteuid:
    case SYS_getgid:
    case SYS_getegid:
    case SYS_rt_sigprocmask:
    case SYS_rt_sigaction:
    case SYS_sched_yield:
      return 0;
    case SYS_clock_gettime: {
      timespec now{};
      if (clock_gettime(static_cast<clockid_t>(args[0]), &now) != 0) return -EINVAL;
      return store(task, args[1], now);
    }
    case SYS_gettimeofday: {
      timeval now{};
      gettimeofday(&now, nullptr);
      return store(task, args[0], now);
    }
    case SYS_time: {
      const time_t now = ::time(nullptr);
      const std::int64_t stored = store(task, args[0], now);
      return stored == 0 ? now : stored;
    }
    case SYS_getrandom: {
      Bytes bytes(std::min<std::size_t>(args[1], 256));
      if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return -EAGAIN;
      return task.space->memory().write(args[0], bytes.data(), bytes.size()) ? static_cast<std::int64_t>(bytes.size())
                                                                             : -EFAULT;
    }
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
      return 0;
    default:
      return std::nullopt;
  }
}

Result<std::optional<Diversion::Halt>> Diversion::answer(Task& task) {
  const std::uint64_t number = task.regs.orig_rax;
  std::uint64_t args[6];
  for (int i = 0; i < 6; ++i) args[i] = task.regs.arg(i);
  const auto back_in_front = [&] {
    task.regs.rip -= 2;
    task.regs.rax = number;
  };
  if (number == SYS_exit || number == SYS_exit_group) {
    back_in_front();
    return Halt{.kind = Halt::Kind::Ended, .signal = 0, .siginfo = {}};
  }
  std::optional<std::int64_t> result;
  if (number == SYS_futex) {
    const std::uint64_t operation = args[1] & FUTEX_CMD_MASK;
    const bool waits = operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
    const auto word = task.space->memory().get<std::uint32_t>(RemoteAddr(args[0]));
    if (waits && args[3] == 0 && word && *word == static_cast<std::uint32_t>(args[2])) {
      back_in_front();
      return Halt{.kind = Halt::Kind::Stuck, .signal = 0, .siginfo = {}};
    }
    result = !waits ? 0 : !word ? -EFAULT : *word != static_cast<std::uint32_t>(args[2]) ? -EAGAIN : -ETIMEDOUT;
  }
  if (number == SYS_write || number == SYS_writev) result = answer_write(task, number, args);
  if (!result) result = answer_memory(task, number, args);
  if (!result) result = answer_query(task, number, args);
  if (!result) {
    result = -ENOSYS;
    output_ += fmt::format("[tmrec: {} is not performed in a diversion]\n",
                           syscalls::row(static_cast<std::uint32_t>(number)).name);
  }
  // What the kernel leaves behind (Intel SDM volume 2, "SYSCALL").
  task.regs.rcx = task.regs.rip;
  task.regs.r11 = task.regs.eflags;
  task.regs.rax = static_cast<std::uint64_t>(*result);
  return std::nullopt;
}

}  // namespace tmrec::replayer
