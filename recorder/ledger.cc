#include "recorder/ledger.h"

#include <sys/mman.h>

#include <new>

namespace tmrec::recorder {

std::shared_ptr<Ledger> Ledger::make() {
  void* const at =
      mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return nullptr;
  static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
  // Pages of zeros are an empty ledger: its entries are not touched before they are used.
  return {static_cast<Ledger*>(at), [](Ledger* ledger) { munmap(ledger, sizeof(Ledger)); }};
}

bool Ledger::add(const OwnSettings& settings) {
  const std::uint32_t next = count_.load(std::memory_order_relaxed);
  if (next >= kMost) return false;
  entries_[next] = settings;
  count_.store(next + 1, std::memory_order_release);
  return true;
}

// Without room the child stays a zombie until its parent ends.
void Ledger::add_child(pid_t process, pid_t child) {
  for (Child& entry : children_) {
    if (entry.pid != 0) continue;
    entry.process = process;
    entry.pid = child;
    return;
  }
}

void Ledger::remove_child(pid_t process, pid_t child) {
  for (Child& entry : children_) {
    if (entry.process == process && entry.pid == child) entry.pid = 0;
  }
}

std::vector<pid_t> Ledger::children(pid_t process) const {
  std::vector<pid_t> found;
  for (const Child& entry : children_) {
    if (entry.pid != 0 && entry.process == process) found.push_back(entry.pid);
  }
  return found;
}

// The last one counts: the kernel may give the number of a task that has ended to another.
OwnSettings* Ledger::entry(pid_t tid) {
  for (std::uint32_t i = size(); i-- > 0;) {
    if (entries_[i].tid == tid) return &entries_[i];
  }
  return nullptr;
}

const OwnSettings* Ledger::find(pid_t tid, pid_t process) const {
  const OwnSettings* of_process = nullptr;
  for (std::uint32_t i = size(); i-- > 0;) {
    if (entries_[i].tid == tid) return &entries_[i];
    if (entries_[i].process == process) of_process = &entries_[i];
  }
  return of_process;
}

}  // namespace tmrec::recorder
