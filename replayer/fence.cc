#include "replayer/fence.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>

#include <fmt/format.h>

#include "replayer/stub.h"
#include "tracee/opcode.h"
#include "tracee/patch/decode.h"

namespace tmrec::replayer {

namespace {

constexpr int kAll = PROT_READ | PROT_WRITE | PROT_EXEC;
constexpr std::uint64_t kLongest = 64;         // that most instructions access at once
constexpr std::uint64_t kLongestSaved = 4096;  // fxsave, xsave, fnsave, enter

Result<void> protect(Task& task, std::uint64_t begin, std::uint64_t end, int prot) {
  const std::int64_t done =
      call_in_stub(*task.stub, SYS_mprotect, {begin, end - begin, static_cast<std::uint64_t>(prot)});
  if (done == 0) return {};
  return fail_errno(fmt::format("cannot watch memory at {:#x}", begin), static_cast<int>(-done));
}

}  // namespace

bool Fence::sees_reads() const { return std::ranges::any_of(ranges_, &Range::reads); }

// Pages of two ranges may be the same: what refuses more holds.
Result<void> Fence::plan(Task& task) {
  parts_.clear();
  TMREC_TRY(const auto maps, tracee::read_maps(task.stub->tid()));
  for (const tracee::MapsLine& map : maps) {
    for (std::uint64_t page = 0; const Range& range : ranges_) {
      page = std::max(page_down(range.begin), map.start.value);
      const std::uint64_t end = std::min(page_up(range.end), map.end.value);
      for (; page < end; page += kPageSize) {
        const int prot = map.prot & kAll, now = range.reads ? PROT_NONE : prot & ~PROT_WRITE;
        const auto known = std::ranges::find(parts_, page, &Part::begin);
        if (known != parts_.end()) {
          known->now &= now;
        } else if (now != prot) {
          parts_.push_back({page, page + kPageSize, prot, now});
        }
      }
    }
  }
  std::ranges::sort(parts_, {}, &Part::begin);
  std::vector<Part> merged;
  for (const Part& part : parts_) {
    const bool goes_on = !merged.empty() && merged.back().end == part.begin && merged.back().before == part.before &&
                         merged.back().now == part.now;
    if (goes_on) {
      merged.back().end = part.end;
    } else {
      merged.push_back(part);
    }
  }
  parts_ = std::move(merged);
  return {};
}

namespace {

// Calls of ours change what is known of the stop in between.
class SameStop {
 public:
  explicit SameStop(tracee::Stopped& task) : task_(task), info_(task.siginfo()) {}
  void restore() { task_.set_siginfo(info_); }

 private:
  tracee::Stopped& task_;
  siginfo_t info_;
};

}  // namespace

// A stack grows where it is touched, also by the kernel; then it does so before the fence is there.
Result<void> Fence::raise(Task& task) {
  SameStop stop(*task.stub);
  for (const Range& range : ranges_) {
    if (!task.space->memory().get<std::uint8_t>(RemoteAddr(range.begin)))
      call_in_stub(*task.stub, SYS_access, {range.begin, 0});
  }
  TMREC_CHECKED(plan(task));
  stop.restore();
  return raise_again(task);
}

Result<void> Fence::lower(Task& task) {
  up_ = false;
  return protect_parts(task, &Part::before);
}

Result<void> Fence::raise_again(Task& task) {
  up_ = true;
  return protect_parts(task, &Part::now);
}

Result<void> Fence::protect_parts(Task& task, int Part::*prot) const {
  SameStop stop(*task.stub);
  for (const Part& part : parts_) TMREC_CHECKED(protect(task, part.begin, part.end, part.*prot));
  stop.restore();
  return {};
}

bool Fence::has_stopped(const siginfo_t& info) const {
  if (!up_ || info.si_signo != SIGSEGV || info.si_code != SEGV_ACCERR) return false;
  const auto at = reinterpret_cast<std::uint64_t>(info.si_addr);
  return std::ranges::any_of(parts_, [&](const Part& part) { return at >= part.begin && at < part.end; });
}

std::uint32_t Fence::touched_at(std::uint64_t refused) const {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    if (refused >= ranges_[i].begin && refused < ranges_[i].end) bits |= 1u << i;
  }
  return bits;
}

bool Fence::scatters(const Task& task) {
  const Bytes code = task.space->memory().read_some(RemoteAddr(task.regs.rip), 15);
  const auto insn = patch::decode(code, 0);
  if (!insn || insn->opcode + 5u > code.size()) return false;
  constexpr std::uint8_t kEvex = 0x62, kSecondMap = 2;
  const std::uint8_t* const bytes = code.data() + insn->opcode;
  return bytes[0] == kEvex && (bytes[1] & 7) == kSecondMap && bytes[4] >= 0xa0 && bytes[4] <= 0xa3;
}

// Whoever comes from outside passes the first byte, or the last one.
Fence::Doubt Fence::doubts(const Task& task, std::uint64_t refused) const {
  const tracee::Opcode opcode = tracee::opcode_at(task.space->memory(), task.regs.rip);
  const bool repeats = opcode.kind == tracee::Opcode::Kind::Repeated;
  const Bytes code = task.space->memory().read_some(RemoteAddr(task.regs.rip), 15);
  const auto insn = patch::decode(code, 0);
  const std::uint8_t first = insn ? code[insn->opcode] : 0;
  const std::uint8_t second = insn && insn->opcode + 1u < code.size() ? code[insn->opcode + 1u] : 0;
  const bool saves = first == 0xdd || first == 0xc8 || (first == 0x0f && (second == 0xae || second == 0xc7));
  const std::uint64_t reach = saves ? kLongestSaved : kLongest;
  Doubt doubt;
  const auto add = [&](std::size_t range, std::uint64_t at) {
    if (doubt.words.size() == tracee::kDebugRegisters) {
      doubt.untold |= 1u << range;
      return;
    }
    doubt.words.push_back({RemoteAddr(at), 1, !ranges_[range].reads});
    doubt.ranges.push_back(range);
  };
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    const auto& [begin, end, reads] = ranges_[i];
    if (refused >= begin && refused < end) continue;
    if (repeats || (refused < begin && begin - refused < reach)) add(i, begin);
    if (repeats && end - begin > 1) add(i, end - 1);
  }
  return doubt;
}

}  // namespace tmrec::replayer
