#include "recorder/call_ring.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "format/file_io.h"

namespace tmrec::recorder {

namespace {

constexpr unsigned long kHasFsgsbase = 2;  // HWCAP2_FSGSBASE, asm/hwcap2.h

}  // namespace

Result<std::shared_ptr<CallRing>> CallRing::map(pid_t pid, int fd) {
  const std::string path = fmt::format("/proc/{}/fd/{}", pid, fd);
  const Fd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  void* memory = file
                     ? mmap(nullptr, agent::kRingSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file.get(), 0)
                     : MAP_FAILED;
  if (memory == MAP_FAILED) return fail_errno(path);
  auto ring = std::shared_ptr<CallRing>(new CallRing(memory));
  ring->header().generation = 1;
  if ((getauxval(AT_HWCAP2) & kHasFsgsbase) != 0) ring->header().flags = agent::kReadsFsBase;
  return ring;
}

CallRing::~CallRing() { munmap(memory_, agent::kRingSize); }

Result<CallRing::Calls> CallRing::take(bool at_rest) {
  const std::uint64_t used = header().used, begin = std::exchange(taken_, at_rest ? 0 : used);
  if (at_rest) header().used = 0;
  if (used > agent::kRingSize - sizeof(agent::RingHeader) || begin > used)
    return fail(ErrorKind::System, "the agent's records are damaged");
  // A copy: the program may write there at any time.
  const std::uint8_t* const from = memory_ + sizeof(agent::RingHeader) + begin;
  Calls calls{last_, 0, Bytes(from, from + (used - begin))};
  for (std::span<const std::uint8_t> rest = calls.records; !rest.empty(); ++calls.count) {
    if (auto call = take_call(rest, last_); !call)
      return fail(ErrorKind::System, "the agent's records are damaged: " + call.error().text);
  }
  return calls;
}

}  // namespace tmrec::recorder
