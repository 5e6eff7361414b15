// A ring in this process, written to as agents do, or as they never would.
#include "recorder/call_ring.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "format/file_io.h"

using namespace tmrec;
using namespace tmrec::recorder;
using agent::RecordKind;

namespace {

struct Shared {
  Fd file{memfd_create("ring", MFD_CLOEXEC)};
  std::shared_ptr<CallRing> ring;
  std::uint8_t* memory = nullptr;

  Shared() {
    REQUIRE(ftruncate(file.get(), agent::kRingSize) == 0);
    ring = *CallRing::map(getpid(), file.get());
    void* const mapped = mmap(nullptr, agent::kRingSize, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    REQUIRE(mapped != MAP_FAILED);
    memory = static_cast<std::uint8_t*>(mapped);
  }
  ~Shared() { munmap(memory, agent::kRingSize); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  agent::RingHeader& header() { return *reinterpret_cast<agent::RingHeader*>(memory); }

  void put(RecordKind kind, std::int64_t ret, std::uint32_t size = sizeof(CallRecord)) {
    CallRecord record{};
    record.size = size | static_cast<std::uint32_t>(kind);
    record.ret = ret;
    std::memcpy(memory + sizeof(agent::RingHeader) + header().used, &record, sizeof record);
    header().used += sizeof record;
  }
};

}  // namespace

TEST_CASE("records belong to whoever had the baton") {
  Shared shared;
  CallRing& ring = *shared.ring;
  const auto first = ring.take_slot(100), second = ring.take_slot(200);
  REQUIRE((first && second));
  ring.leave_baton(agent::kFirstHolder + *first, *first);
  shared.put(RecordKind::Complete, 1);
  shared.put(RecordKind::Complete, 2);
  shared.put(RecordKind::Enter, 0);
  shared.put(RecordKind::Switch, *second);
  shared.put(RecordKind::Complete, 3);
  const auto taken = ring.take(false);
  REQUIRE(taken);
  REQUIRE(taken->size() == 4);
  CHECK((taken->at(0).kind == RecordKind::Complete && taken->at(0).tid == 100 && taken->at(0).count == 2));
  CHECK(taken->at(0).records.size() == 2 * sizeof(CallRecord));
  CHECK((taken->at(1).kind == RecordKind::Enter && taken->at(1).tid == 100));
  CHECK((taken->at(2).kind == RecordKind::Switch && taken->at(2).tid == 200));
  CHECK((taken->at(3).kind == RecordKind::Complete && taken->at(3).tid == 200));
  // What comes next is still the second one's, and room is used again only when nobody writes.
  CHECK(shared.header().used != 0);
  shared.put(RecordKind::Exit, 0);
  const auto rest = ring.take(true);
  REQUIRE((rest && rest->size() == 1));
  CHECK((rest->front().kind == RecordKind::Exit && rest->front().tid == 200));
  CHECK(shared.header().used == 0);
}

TEST_CASE("what no agent writes ends the recording") {
  Shared shared;
  CallRing& ring = *shared.ring;
  const auto slot = ring.take_slot(100);
  ring.leave_baton(agent::kFirstHolder + *slot, *slot);
  SUBCASE("more than there is room for") { shared.header().used = agent::kRingSize; }
  SUBCASE("a record without size") { shared.put(RecordKind::Complete, 0, 0); }
  SUBCASE("one larger than the rest") { shared.put(RecordKind::Complete, 0, 4096); }
  SUBCASE("of no kind") { shared.put(static_cast<RecordKind>(7), 0); }
  SUBCASE("the baton to nobody") { shared.put(RecordKind::Switch, *slot + 1); }
  SUBCASE("the baton to no slot") { shared.put(RecordKind::Switch, -1); }
  SUBCASE("part of a record") {
    shared.put(RecordKind::Complete, 0);
    shared.header().used -= 8;
  }
  CHECK_FALSE(ring.take(true));
}

TEST_CASE("the baton is taken from the one that has it") {
  Shared shared;
  CallRing& ring = *shared.ring;
  const auto first = ring.take_slot(100), second = ring.take_slot(200), third = ring.take_slot(300);
  REQUIRE((first && second && third));
  ring.leave_baton(agent::kFree, agent::kMaxSlots);
  const auto changes = shared.header().changes;
  CHECK_FALSE(ring.take_baton(agent::kFirstHolder + *first));
  CHECK(ring.take_baton(agent::kFree));
  CHECK(ring.baton() == agent::kSupervisors);
  CHECK(shared.header().changes == changes + 1);

  shared.header().slots[*third] = {agent::SlotState::Chosen, 0, 5};
  shared.header().slots[*first] = {agent::SlotState::Ready, 0, 7};
  shared.header().slots[*second] = {agent::SlotState::Waits, 0, 1};
  CHECK(ring.sleepers() == std::vector<pid_t>{300, 100});
  ring.give_slot_back(*third);
  CHECK(ring.sleepers() == std::vector<pid_t>{100});
  CHECK(ring.take_slot(400) == third);
}

TEST_CASE("a task without a slot") {
  Shared shared;
  for (std::uint32_t i = 0; i < agent::kMaxSlots; ++i) CHECK(shared.ring->take_slot(static_cast<pid_t>(1000 + i)) == i);
  CHECK_FALSE(shared.ring->take_slot(1));
}
