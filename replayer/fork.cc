// A second session at the same position.
//
// Problem: going back means to have been there: a replay only runs forwards. Solution: the stubs are forked, which
// copies all private memory lazily; their threads are made again; memory that is shared between processes, or with an
// object, is copied and mapped in place of the original, so that the two sessions never see each other's writes.
// Rejected: copying memory through the supervisor (a fork of 500 MB takes 10 ms, a copy 200 ms and the memory).
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "replayer/session.h"
#include "tracee/proc.h"

namespace tmrec::replayer {

namespace {

// <linux/mman.h>; newer than some headers.
constexpr std::uint64_t kMadvWipeOnFork = 18, kMadvKeepOnFork = 19;

std::uint64_t opposite(std::uint64_t advice) { return advice == MADV_DONTFORK ? MADV_DOFORK : kMadvKeepOnFork; }

// The content of a mapping, to where it belongs in the memfd.
Result<void> save(const tracee::RemoteMemory& memory, const tracee::MapsLine& map, int fd) {
  constexpr std::uint64_t kPiece = 1 << 20;
  for (std::uint64_t at = map.start.value; at < map.end.value; at += kPiece) {
    const Bytes bytes = memory.read_some(RemoteAddr(at), std::min(kPiece, map.end.value - at));
    if (std::ranges::all_of(bytes, [](std::uint8_t b) { return b == 0; })) continue;
    const auto offset = static_cast<off_t>(map.offset + (at - map.start.value));
    if (pwrite(fd, bytes.data(), bytes.size(), offset) != static_cast<ssize_t>(bytes.size())) {
      return fail_errno("cannot copy shared memory");
    }
  }
  return {};
}

}  // namespace

void Space::note_advice(std::uint64_t start, std::uint64_t size, std::uint64_t advice) {
  if (advice == MADV_DONTFORK || advice == kMadvWipeOnFork) fork_advice_.push_back({start, size, advice});
}

// Parts that are no longer mapped, or that the program has changed its mind about, are not found or found unchanged.
void Space::copy_everything(tracee::Stopped& task, bool on) const {
  for (const ForkAdvice& range : fork_advice_) {
    call_in_stub(task, SYS_madvise, {range.start, range.size, on ? opposite(range.advice) : range.advice});
  }
}

Result<void> Space::unshare(tracee::Stopped& task, SharedCopies& copies) {
  if (!shares_memory_) return {};
  TMREC_TRY(const auto maps, tracee::read_maps(task.tid()));
  for (const tracee::MapsLine& map : maps) {
    if (!map.shared || map.inode == 0) continue;
    const std::uint64_t size = map.end - map.start;
    auto copy = copies.find(map.inode);
    const bool of_object = copy != copies.end() && !map.name.starts_with("/memfd:tmrec-shared") &&
                           map.name.starts_with("/memfd:tmrec-object");
    if (copy == copies.end()) {
      Fd made(memfd_create("tmrec-shared", MFD_CLOEXEC));
      if (!made) return fail_errno("cannot create a memory file");
      copy = copies.emplace(map.inode, std::move(made)).first;
    }
    const int fd = copy->second.get();
    if (!of_object) {
      struct stat now{};
      const auto needed = static_cast<off_t>(map.offset + size);
      if (fstat(fd, &now) < 0 || (now.st_size < needed && ftruncate(fd, needed) < 0)) {
        return fail_errno("cannot size a memory file");
      }
      TMREC_CHECKED(save(memory_, map, fd));
    }
    TMREC_TRY(const int in_stub, fd_in_stub(task, fd, true));
    const std::int64_t at = call_in_stub(task, SYS_mmap,
                                         {map.start.value, size, static_cast<std::uint64_t>(map.prot),
                                          MAP_SHARED | MAP_FIXED, static_cast<std::uint64_t>(in_stub), map.offset});
    call_in_stub(task, SYS_close, {static_cast<std::uint64_t>(in_stub)});
    if (at != static_cast<std::int64_t>(map.start.value)) {
      return fail(ErrorKind::System, fmt::format("cannot copy shared memory at {:#x}", map.start.value));
    }
  }
  return {};
}

namespace {

Task copy_of(const Task& task, std::shared_ptr<Space> space, tracee::Stopped stub) {
  Task copy{.tid = task.tid,
            .process = task.process,
            .space = std::move(space),
            .stub = std::move(stub),
            .regs = task.regs,
            .in_call = task.in_call,
            .restarts = task.restarts,
            .extended_known = task.extended_known,
            .last_event_ns = task.last_event_ns,
            .area = task.area,
            .counted_from = task.counted_from};
  copy.stub->set_xstate(task.stub->xstate());
  return copy;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::fork() {
  TMREC_TRY(LogReader log, log_.copy());
  auto copy = std::make_unique<Session>(trace_, objects_.blobs(), std::move(log), trap_cpuid_);
  copy->source_ = source_;
  copy->now_ = now_;
  copy->first_process_ = first_process_;
  copy->in_gap_ = in_gap_;
  copy->end_seen_ = end_seen_;
  copy->end_reason_ = end_reason_;
  copy->exit_status_ = exit_status_;
  copy->recent_ = recent_;
  copy->ahead_ = ahead_;
  copy->begun_ = begun_;
  copy->plans_ = plans_;
  std::unordered_map<const Space*, Task*> first_of;  // the copy's
  for (const auto& [tid, task] : tasks_) {
    if (!task->stub) continue;
    auto known = first_of.find(task->space.get());
    const bool first = known == first_of.end();
    if (first) task->space->copy_everything(*task->stub, true);
    auto stub = first ? fork_stub(*task->stub) : clone_stub(*known->second->stub, true);
    if (first) task->space->copy_everything(*task->stub, false);
    if (!stub) return std::unexpected(stub.error());
    std::shared_ptr<Space> space;
    if (first) {
      TMREC_TRY(Space forked, task->space->forked(*stub));
      forked.copy_everything(*stub, false);
      forked.forget_calls();
      forked.tasks = task->space->tasks;
      space = std::make_shared<Space>(std::move(forked));
    } else {
      space = known->second->space;
    }
    auto made = std::make_unique<Task>(copy_of(*task, std::move(space), std::move(*stub)));
    if (task->counter) {
      TMREC_TRY(const Ticks now, ticks(*task));
      TMREC_CHECKED(copy->start_counter(*made, now));
    }
    if (first) first_of[task->space.get()] = made.get();
    copy->tasks_[tid] = std::move(made);
  }
  SharedCopies shared;
  TMREC_CHECKED(copy->objects_.copy_from(objects_, [&](BackingId id, std::uint64_t inode, int fd) -> Result<void> {
    shared[inode].reset(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    return copy->show_everywhere(id, fd);
  }));
  for (const auto& [original, task] : first_of) TMREC_CHECKED(task->space->unshare(*task->stub, shared));
  return copy;
}

}  // namespace tmrec::replayer
