#include "replayer/lent_memory.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>

#include "replayer/stub.h"

namespace tmrec::replayer {

namespace {

// Beside what is tmrec's in every stub (kStubPage).
constexpr std::uint64_t kBegin = 0x5502'0000'0000, kMost = 64 << 20, kPage = 4096;

}  // namespace

Result<RemoteAddr> LentMemory::lend(std::uint64_t size) {
  if (pieces_.empty()) lent_ = 0;
  if (size == 0 || size > kMost - lent_) return fail(ErrorKind::Usage, "no more memory for a debugger");
  const std::uint64_t at = kBegin + lent_, whole = (size + kPage - 1) / kPage * kPage;
  lent_ = std::min(lent_ + whole + kPage, kMost);
  pieces_[at] = Bytes(whole);
  return RemoteAddr(at);
}

const LentMemory::Piece* LentMemory::piece(std::uint64_t at) const {
  const auto behind = pieces_.upper_bound(at);
  if (behind == pieces_.begin()) return nullptr;
  const Piece& last = *std::prev(behind);
  return at - last.first < last.second.size() ? &last : nullptr;
}

Bytes LentMemory::read(RemoteAddr from, std::size_t size) const {
  const Piece* const in = piece(from.value);
  if (in == nullptr) return {};
  const auto first = in->second.begin() + static_cast<std::ptrdiff_t>(from.value - in->first);
  return Bytes(first, first + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(size), in->second.end() - first));
}

bool LentMemory::write(RemoteAddr to, const Bytes& bytes) {
  const Piece* const in = piece(to.value);
  if (in == nullptr || bytes.size() > in->second.size() - (to.value - in->first)) return false;
  std::ranges::copy(bytes, pieces_[in->first].begin() + static_cast<std::ptrdiff_t>(to.value - in->first));
  return true;
}

Result<void> LentMemory::map_into(Task& task) const {
  for (const auto& [at, content] : pieces_) {
    constexpr std::uint64_t kProtection = PROT_READ | PROT_WRITE | PROT_EXEC;
    constexpr std::uint64_t kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    const std::int64_t mapped =
        call_in_stub(*task.stub, SYS_mmap, {at, content.size(), kProtection, kFlags, ~std::uint64_t{0}, 0});
    if (mapped != static_cast<std::int64_t>(at) || !task.space->write(RemoteAddr(at), content)) {
      return fail(ErrorKind::System, "the program has memory where a debugger's is to be");
    }
  }
  return {};
}

void LentMemory::update_from(const Task& task) {
  for (auto& [at, content] : pieces_) {
    Bytes now = task.space->memory().read_some(RemoteAddr(at), content.size());
    if (now.size() == content.size()) content = std::move(now);
  }
}

}  // namespace tmrec::replayer
