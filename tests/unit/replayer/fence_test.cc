// A stub that executes a few instructions on fenced pages, one at a time.
#include "replayer/fence.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <filesystem>

#include "replayer/machine.h"
#include "replayer/stub.h"

using namespace tmrec;
using namespace tmrec::replayer;
namespace fs = std::filesystem;

namespace {

using Code = std::vector<std::uint8_t>;

constexpr std::uint64_t kCode = 0x10000, kData = 0x20000, kPages = 4, kSealed = 0x40000;
constexpr std::uint64_t kWatched = kData + kPageSize + 0x100, kWatchedEnd = kWatched + 0x80;

struct Scene {
  fs::path scratch = [] {
    std::string name = (fs::temp_directory_path() / "tmrec-fence-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    return fs::path(name);
  }();
  Heartbeat heartbeat;
  Objects objects{*BlobStore::create(scratch / "blobs"), [](BackingId, int) -> Result<void> { return {}; }};
  Task task;
  Machine machine;

  Scene() {
    auto stub = new_stub(false);
    REQUIRE(stub);
    Snapshot snapshot;
    snapshot.stack_limit = 8 << 20;
    const auto add = [&](std::uint64_t at, std::uint64_t size, int prot) {
      Mapping mapping;
      mapping.start = RemoteAddr(at), mapping.end = RemoteAddr(at + size), mapping.prot = prot;
      snapshot.mappings.push_back(mapping);
    };
    add(kCode, kPageSize, PROT_READ | PROT_EXEC);
    add(kData, kPages * kPageSize, PROT_READ | PROT_WRITE);
    add(kSealed, kPageSize, PROT_READ);
    auto space = Space::build(*stub, snapshot, objects);
    REQUIRE(space);
    task.stub = std::move(*stub);
    task.space = std::make_shared<Space>(std::move(*space));
    task.regs = task.stub->regs();
    task.regs.rsp = kData + kPages * kPageSize - 64;
  }
  ~Scene() {
    end_stub(std::move(*task.stub));
    fs::remove_all(scratch);
  }

  // Executes one instruction behind a fence around the watched range. Gives the stop it led to, if any.
  std::optional<tracee::Stop> execute(const Code& code) {
    task.space->memory().write(kCode, code.data(), code.size());
    task.regs.rip = kCode;
    machine.accessed = 0;
    REQUIRE(machine.fence.raise(task));
    const auto stop = machine.step(task);
    REQUIRE(machine.fence.lower(task));
    REQUIRE(stop);
    return *stop;
  }
  // The instruction was executed, and touched these ranges.
  void touches(const Code& code, std::uint32_t ranges) {
    CAPTURE(code.front());
    CHECK_FALSE(execute(code));
    CHECK(task.regs.rip == kCode + code.size());
    CHECK(machine.accessed == ranges);
  }
  std::uint64_t word(std::uint64_t at) const { return *task.space->memory().get<std::uint64_t>(RemoteAddr(at)); }
  int protection(std::uint64_t at) const {
    const auto maps = tracee::read_maps(task.stub->tid());
    REQUIRE(maps);
    for (const auto& map : *maps) {
      if (map.start.value <= at && at < map.end.value) return map.prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
    }
    return -1;
  }
  void watch(bool reads = false) { machine.fence.surround({{kWatched, kWatchedEnd, reads}}); }
};

const Code kStore = {0x48, 0x89, 0x07};   // mov %rax,(%rdi)
const Code kLoad = {0x48, 0x8b, 0x0f};    // mov (%rdi),%rcx
const Code kFill = {0xf3, 0xaa};          // rep stosb
const Code kCopy = {0x48, 0xa5};          // movsq
const Code kSave = {0x0f, 0xae, 0x07};    // fxsave (%rdi)
const Code kPush = {0x50};                // push %rax
const Code kVector = {0x0f, 0x11, 0x07};  // movups %xmm0,(%rdi)

}  // namespace

TEST_CASE_FIXTURE(Scene, "writes into the range are seen, all of them and no others") {
  watch();
  task.regs.rax = 0x1122334455667788;
  const struct {
    std::uint64_t at;
    std::uint32_t seen;
  } cases[] = {{kWatched, 1},    {kWatchedEnd - 8, 1}, {kWatched - 7, 1}, {kWatchedEnd - 1, 1},      {kWatched - 8, 0},
               {kWatchedEnd, 0}, {kWatched - 0x80, 0}, {kData, 0},        {kData + 2 * kPageSize, 0}};
  for (const auto& [at, seen] : cases) {
    CAPTURE(at);
    task.regs.rdi = at;
    touches(kStore, seen);
    CHECK(word(at) == task.regs.rax);
  }
  task.regs.rdi = kData + kPageSize - 4;  // from the page before into the fenced one, not into the range
  touches(kStore, 0);
  CHECK(word(task.regs.rdi) == task.regs.rax);
}

TEST_CASE_FIXTURE(Scene, "instructions that write much at once are seen from where they begin") {
  watch();
  task.regs.rdi = kWatched - 15;
  touches(kVector, 1);
  task.regs.rdi = kWatched - 16;
  touches(kVector, 0);
  task.regs.rdi = (kWatched - 400) & ~std::uint64_t{15};
  touches(kSave, 1);
  task.regs.rdi = (kWatched - 600) & ~std::uint64_t{15};
  touches(kSave, 0);
  task.regs.rax = 'x';
  task.regs.rdi = kWatched - 200;
  task.regs.rcx = 201;
  touches(kFill, 1);
  CHECK(task.regs.rcx == 0);
  CHECK((word(kWatched) & 0xff) == 'x');
  task.regs.rdi = kWatched - 200;
  task.regs.rcx = 200;
  touches(kFill, 0);
  task.regs.rdi = kData + 8;  // over a page that is not fenced
  task.regs.rcx = kWatchedEnd - kData;
  touches(kFill, 1);
  CHECK(task.regs.rdi == kWatchedEnd + 8);
  task.regs.rsp = kWatched + 8;
  touches(kPush, 1);
  touches(kPush, 0);
}

TEST_CASE_FIXTURE(Scene, "reads are seen where they are of interest") {
  watch();
  task.regs.rdi = kWatched;
  touches(kLoad, 0);
  watch(true);
  touches(kLoad, 1);
  task.regs.rdi = kWatched - 8;
  touches(kLoad, 0);
  task.regs.rdi = kWatched - 7;
  touches(kLoad, 1);
  task.regs.rsi = kWatched;
  task.regs.rdi = kData;
  touches(kCopy, 1);
}

TEST_CASE_FIXTURE(Scene, "each range has its bit, whatever pages they share") {
  machine.fence.surround({{kWatched, kWatched + 8, false},
                          {kWatched + 8, kWatched + 16, true},
                          {kData + 3 * kPageSize - 16, kData + 3 * kPageSize + 16, false}});
  CHECK(machine.fence.sees_reads());
  CHECK(machine.fence.all() == 7);
  task.regs.rdi = kWatched;
  touches(kLoad, 1);  // a page that must not be read either does not tell reads from writes
  touches(kStore, 1);
  task.regs.rdi = kWatched + 8;
  touches(kLoad, 2);
  touches(kStore, 2);
  task.regs.rdi = kWatched + 4;
  touches(kStore, 3);
  task.regs.rdi = kData + 3 * kPageSize - 4;
  touches(kStore, 4);
}

TEST_CASE_FIXTURE(Scene, "of more ranges than debug registers can tell apart, none that is touched is missed") {
  std::vector<Fence::Range> ranges;
  for (std::uint64_t i = 12; i-- > 0;) ranges.push_back({kWatched + 16 * i, kWatched + 16 * i + 8, false});
  machine.fence.surround(ranges);
  task.regs.rax = 'x';
  task.regs.rdi = kWatched - 32;
  task.regs.rcx = 64;
  CHECK_FALSE(execute(kFill));
  for (std::uint64_t i = 0; i < 2; ++i) CHECK((machine.accessed >> (11 - i) & 1) == 1);
  CHECK(task.regs.rdi == kWatched + 32);
  task.regs.rdi = kWatched + 12;
  touches(kStore, 1u << 10);
}

TEST_CASE_FIXTURE(Scene, "a fault of the program's own stays its own") {
  machine.fence.surround({{kWatched, kWatchedEnd, false}, {kSealed + 8, kSealed + 64, false}});
  for (const std::uint64_t at : {kSealed + 16, std::uint64_t{0x90000}}) {
    CAPTURE(at);
    task.regs.rdi = at;
    const auto stop = execute(kStore);
    REQUIRE(stop);
    CHECK(stop->kind == tracee::Stop::Kind::Signal);
    CHECK(stop->signal == SIGSEGV);
    CHECK(task.regs.rip == kCode);
    CHECK(reinterpret_cast<std::uint64_t>(task.stub->siginfo().si_addr) == at);
  }
}

TEST_CASE_FIXTURE(Scene, "pages are as they were once the fence is down, and nothing is fenced that is not mapped") {
  machine.fence.surround({{kWatched, kWatchedEnd, false},
                          {kData + 2 * kPageSize, kData + 2 * kPageSize + 8, true},
                          {0x90000, 0x91000, false}});
  REQUIRE(machine.fence.raise(task));
  CHECK(machine.fence.is_up());
  CHECK(protection(kData) == (PROT_READ | PROT_WRITE));
  CHECK(protection(kWatched) == PROT_READ);
  CHECK(protection(kData + 2 * kPageSize) == PROT_NONE);
  CHECK(protection(kData + 3 * kPageSize) == (PROT_READ | PROT_WRITE));
  CHECK(protection(0x90000) == -1);
  // Supervisors write all the same.
  const std::uint64_t value = 7;
  CHECK(task.space->memory().write(kWatched, &value, sizeof value));
  REQUIRE(machine.fence.lower(task));
  CHECK_FALSE(machine.fence.is_up());
  CHECK(protection(kWatched) == (PROT_READ | PROT_WRITE));
  CHECK(protection(kData + 2 * kPageSize) == (PROT_READ | PROT_WRITE));
  CHECK(protection(kSealed) == PROT_READ);
  REQUIRE(machine.fence.raise_again(task));
  CHECK(protection(kData + 2 * kPageSize) == PROT_NONE);
  REQUIRE(machine.fence.lower(task));
}

TEST_CASE_FIXTURE(Scene, "what scatters is told from what does not") {
  const struct {
    Code code;
    bool scatters;
  } cases[] = {{{0x62, 0xf2, 0x7d, 0x49, 0xa2, 0x04, 0x0f}, true},   // vscatterdps
               {{0x62, 0xf2, 0xfd, 0x49, 0xa1, 0x04, 0x0f}, true},   // vpscatterqq
               {{0x62, 0xf2, 0x7d, 0x49, 0x92, 0x04, 0x0f}, false},  // vgatherdps
               {{0x62, 0xf1, 0x7c, 0x48, 0x11, 0x07}, false},        // vmovups
               {kStore, false}};
  for (const auto& [code, scatters] : cases) {
    CAPTURE(code[4 % code.size()]);
    task.space->memory().write(kCode, code.data(), code.size());
    task.regs.rip = kCode;
    CHECK(Fence::scatters(task) == scatters);
  }
}
