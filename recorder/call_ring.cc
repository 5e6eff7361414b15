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

Result<CallRing::Call> parse(std::span<const std::uint8_t> bytes) {
  CallRing::Call call;
  std::memcpy(&call.record, bytes.data(), sizeof call.record);
  std::span rest = bytes.subspan(sizeof call.record);
  for (std::uint32_t i = 0; i < call.record.extents; ++i) {
    agent::ExtentRecord extent;
    if (rest.size() < sizeof extent) return fail(ErrorKind::System, "a recorded call lacks its memory");
    std::memcpy(&extent, rest.data(), sizeof extent);
    rest = rest.subspan(sizeof extent);
    const std::size_t padded = (std::size_t{extent.size} + 7) & ~std::size_t{7};
    if (rest.size() < padded) return fail(ErrorKind::System, "a recorded call lacks its memory");
    call.extents.push_back(
        {RemoteAddr(extent.addr), Bytes(rest.data(), rest.data() + extent.size), extent.is_input != 0});
    rest = rest.subspan(padded);
  }
  return call;
}

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

Result<std::vector<CallRing::Call>> CallRing::take(bool at_rest) {
  std::vector<Call> calls;
  const std::uint64_t used = header().used, begin = std::exchange(taken_, at_rest ? 0 : used);
  if (at_rest) header().used = 0;
  if (used > agent::kRingSize - sizeof(agent::RingHeader) || begin > used)
    return fail(ErrorKind::System, "the agent's records are damaged");
  std::span<const std::uint8_t> rest(memory_ + sizeof(agent::RingHeader) + begin, used - begin);
  while (!rest.empty()) {
    std::uint32_t size = 0;
    if (rest.size() >= sizeof(agent::CallRecord)) std::memcpy(&size, rest.data(), sizeof size);
    if (size < sizeof(agent::CallRecord) || size > rest.size()) {
      return fail(ErrorKind::System, "the agent's records are damaged");
    }
    TMREC_TRY(Call call, parse(rest.first(size)));
    calls.push_back(std::move(call));
    rest = rest.subspan(size);
  }
  return calls;
}

}  // namespace tmrec::recorder
