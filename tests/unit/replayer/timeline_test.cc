// Going to and fro in a recording of counting.c: walker, backward search and checkpoints together, with the program
// itself as the witness. Its notes are numbered, so that each stop says where it should be.
#include "replayer/timeline.h"

#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>

#include "counting.h"
#include "format/manifest.h"
#include "gdbstub/agent_code.h"
#include "replayer/patience.h"

using namespace tmrec;
using namespace tmrec::replayer;
namespace fs = std::filesystem;
using Kind = Halt::Kind;

namespace {

constexpr std::uint64_t kNotes = kRounds * kNotesPerRound;
constexpr std::uint64_t kTotal = COUNTING_DATA + offsetof(CountingData, total);
constexpr std::uint64_t kSeldomAt = COUNTING_DATA + offsetof(CountingData, seldom);
constexpr std::uint64_t kOnceAt = COUNTING_DATA + offsetof(CountingData, once);

// Made by the first test that needs it, for all of them.
class Recording {
 public:
  static const fs::path& trace() {
    static const Recording recording;
    return recording.trace_;
  }

 private:
  Recording() {
    std::string name = (fs::temp_directory_path() / "tmrec-timeline-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    scratch_ = name;
    trace_ = scratch_ / "trace";
    const pid_t child = fork();
    if (child == 0) {
      setenv("TMREC_BLOB_DIR", (scratch_ / "blobs").c_str(), 1);
      execl(TMREC, TMREC, "record", "-q", "--ticks=software", "-o", trace_.c_str(), "--", COUNTING, nullptr);
      _exit(127);
    }
    int status = 0;
    const bool recorded = waitpid(child, &status, 0) == child && status == 0;
    if (!recorded) fs::remove_all(scratch_);
    REQUIRE(recorded);
  }
  ~Recording() { fs::remove_all(scratch_); }

  fs::path scratch_, trace_;
};

struct Scene {
  Timeline timeline = opened();
  Heartbeat heartbeat{std::chrono::milliseconds(50)};
  Tid process;
  std::uint64_t note = 0;  // the function's address

  static Timeline opened() {
    auto trace = TraceDir::open(Recording::trace());
    REQUIRE(trace);
    const auto manifest = Manifest::load(trace->path());
    REQUIRE(manifest);
    auto log = LogReader::open(trace->path()), index = LogReader::open(trace->path());
    REQUIRE(log);
    REQUIRE(index);
    auto blobs = std::make_shared<BlobStore>(BlobStore::open(trace->blob_root(manifest->blob_root)));
    auto session = std::make_unique<Session>(std::move(*trace), std::move(blobs), std::move(*log), false);
    return {std::move(session), std::move(*index)};
  }

  Scene() {
    while (timeline.session().tasks().empty()) REQUIRE(timeline.session().step());
    process = timeline.session().tasks().begin()->first;
    REQUIRE(timeline.begin_here());
    timeline.concern(process, timeline.session().position());
    note = word(COUNTING_DATA + offsetof(CountingData, note));
  }

  Orders orders() const {
    Orders orders;
    orders.process = process;
    orders.ends = true;
    return orders;
  }
  // As a debugger is given them.
  Regs regs() {
    const Task& task = *timeline.session().find(process);
    Regs regs = timeline.session().program_view(task);
    if (!task.in_call) regs.orig_rax = ~std::uint64_t{0};
    return regs;
  }
  std::uint64_t word(std::uint64_t at) {
    const auto value = timeline.session().find(process)->space->memory().get<std::uint64_t>(RemoteAddr(at));
    REQUIRE(value);
    return *value;
  }
  Position position() {
    const auto position = timeline.position();
    REQUIRE(position);
    return *position;
  }
  void go_to_end() {
    const auto halt = timeline.forward(orders());
    REQUIRE(halt);
    REQUIRE(halt->kind == Kind::End);
  }
  void go_to(const Position& where) {
    const auto there = timeline.seek(where);
    REQUIRE(there);
    REQUIRE(*there);
  }
  Halt forward(const std::shared_ptr<Stops>& stops, bool skip_first = false) {
    Orders wanted = orders();
    wanted.stops = stops;
    wanted.skip_first = skip_first;
    const auto halt = timeline.forward(wanted);
    REQUIRE(halt);
    return *halt;
  }
  std::optional<Halt> backward(const std::shared_ptr<Stops>& stops) {
    const auto halt = timeline.backward(stops, {});
    REQUIRE(halt);
    return *halt;
  }
  Halt step() {
    Orders wanted = orders();
    wanted.step = process;
    const auto halt = timeline.forward(wanted);
    REQUIRE(halt);
    return *halt;
  }
  std::shared_ptr<Stops> at_note() const {
    auto stops = std::make_shared<Stops>();
    stops->breakpoints = {note};
    return stops;
  }
  static std::shared_ptr<Stops> watching(std::uint64_t at, std::uint64_t size,
                                         Stops::Watch::Kind kind = Stops::Watch::Kind::Write) {
    auto stops = std::make_shared<Stops>();
    stops->watches.push_back({kind, RemoteAddr(at), size});
    return stops;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Scene, "each instruction has a position of its own, in order, and is found again by it") {
  forward(at_note());
  struct Moment {
    Position position;
    Regs regs;
    std::uint64_t total;
  };
  std::vector<Moment> moments;
  for (int i = 0; i < 300; ++i) {
    moments.push_back({position(), regs(), word(kTotal)});
    REQUIRE(step().kind == Kind::Stepped);
  }
  CHECK(std::ranges::is_sorted(moments, std::ranges::less_equal(), &Moment::position));
  CHECK(moments.back().position.ticks > moments.front().position.ticks);
  for (std::size_t i = 0, k = 0; i < 40; ++i, k = (k + 173) % moments.size()) {
    go_to(moments[k].position);
    CHECK(position() == moments[k].position);
    CHECK(regs() == moments[k].regs);
    CHECK(word(kTotal) == moments[k].total);
  }
  go_to(moments.back().position);
  for (std::size_t k = moments.size() - 1; k-- > 0;) {
    const auto halt = timeline.step_back(process, {});
    REQUIRE(halt);
    REQUIRE(*halt);
    CHECK((*halt)->kind == Kind::Stepped);
    REQUIRE(position() == moments[k].position);
    CHECK(regs() == moments[k].regs);
  }
}

TEST_CASE_FIXTURE(Scene, "before the first instruction there is nothing") {
  const Position begin = position();
  const Regs first = regs();
  REQUIRE(step().kind == Kind::Stepped);
  CHECK_FALSE(regs() == first);
  const auto back = timeline.step_back(process, {});
  REQUIRE(back);
  CHECK(back->has_value());
  CHECK(regs() == first);
  const auto further = timeline.step_back(process, {});
  REQUIRE(further);
  CHECK_FALSE(further->has_value());
  CHECK(position() == begin);
}

TEST_CASE_FIXTURE(Scene, "a breakpoint stops at each note, there and back") {
  const auto stops = at_note();
  for (std::uint64_t i = 0; i < 20; ++i) {
    CHECK(forward(stops, i > 0).kind == Kind::Breakpoint);
    CHECK(regs().rip == note);
    CHECK(regs().rdi == i);
  }
  const Position there = position();
  CHECK(forward(stops).kind == Kind::Breakpoint);  // it stands there
  CHECK(position() == there);
  for (std::uint64_t i = 19; i-- > 0;) {
    REQUIRE(backward(stops));
    CHECK(regs().rdi == i);
  }
  CHECK_FALSE(backward(stops));
  go_to(there);
  CHECK(regs().rdi == 19);
}

TEST_CASE_FIXTURE(Scene, "back from the end, the last of very many stops is the first") {
  go_to_end();
  for (std::uint64_t i = kNotes; i-- > kNotes - 4;) {
    const auto halt = backward(at_note());
    REQUIRE(halt);
    CHECK(halt->kind == Kind::Breakpoint);
    CHECK(regs().rdi == i);
    CHECK(word(kTotal) == i * (i - 1) / 2);
  }
}

TEST_CASE_FIXTURE(Scene, "conditions are asked where the program can't tell, and the program decides where it can") {
  const std::uint64_t wanted = 4321;
  for (const bool by_itself : {false, true}) {
    CAPTURE(by_itself);
    REQUIRE(timeline.seek_start(EventNo(0)));
    std::uint64_t asked = 0;
    const auto stops = at_note();
    Stops::Condition& condition = stops->conditions[note];
    condition.holds = [&](Session& session, Task& task) {
      ++asked;
      return session.program_view(task).rdi == wanted;
    };
    // ref rdi; const16 wanted; equal; end
    const std::string expression{0x26, 0, 5, 0x23, wanted >> 8, static_cast<char>(wanted & 0xff), 0x13, 0x27};
    if (by_itself) {
      const auto code = gdbstub::agent_code({expression}, note);
      REQUIRE(code);
      condition.code = *code;
    }
    CHECK(forward(stops).kind == Kind::Breakpoint);
    CHECK(regs().rip == note);
    CHECK(regs().rdi == wanted);
    CHECK(word(kTotal) == wanted * (wanted - 1) / 2);
    if (by_itself) {
      CHECK(asked < kRounds * 10);
    } else {
      CHECK(asked == wanted + 1);
    }
    CHECK(forward(stops, true).kind == Kind::End);
    REQUIRE(backward(stops));
    CHECK(regs().rdi == wanted);
  }
}

TEST_CASE_FIXTURE(Scene, "a watched word stops behind what writes it, and backwards in front") {
  const auto stops = watching(kOnceAt, 8);
  const Halt halt = forward(stops);
  CHECK(halt.kind == Kind::Watch);
  CHECK(word(kOnceAt) == kOnce);
  const Position behind = position();
  CHECK(forward(stops).kind == Kind::End);
  const auto back = backward(stops);
  REQUIRE(back);
  CHECK(back->kind == Kind::Watch);
  CHECK(word(kOnceAt) == 0);
  CHECK(position() < behind);
  CHECK(step().kind == Kind::Stepped);
  CHECK(position() == behind);
  CHECK_FALSE([&] {
    go_to(behind);
    REQUIRE(backward(stops));
    return backward(stops);
  }());
}

TEST_CASE_FIXTURE(Scene, "a wide watch finds what a watched word does, on a page that is written to all the time") {
  constexpr std::size_t kFifth = 5;
  go_to_end();
  const auto by_word = timeline.sighted_before(watching(kSeldomAt + 8 * kFifth, 8), {});
  REQUIRE(by_word);
  REQUIRE(*by_word);
  const auto wide = watching(kSeldomAt, sizeof(CountingData::seldom));
  REQUIRE(timeline.seek_start(EventNo(0)));
  for (std::uint64_t i = 0; i <= kFifth; ++i) {
    CHECK(forward(wide).kind == Kind::Watch);
    CHECK(word(kSeldomAt + 8 * i) == i * kSeldom + 1);
    CHECK(word(kSeldomAt + 8 * (i + 1)) == 0);
  }
  REQUIRE(backward(wide));
  CHECK(position() == (*by_word)->at);
  CHECK(word(kSeldomAt + 8 * kFifth) == 0);
}

TEST_CASE_FIXTURE(Scene, "what is sighted leaves the session where it is") {
  go_to_end();
  const Position end = position();
  const auto sighted = timeline.sighted_before(watching(kOnceAt, 8), {});
  REQUIRE(sighted);
  REQUIRE(*sighted);
  CHECK(position() == end);
  CHECK(word(kOnceAt) == kOnce);
  go_to((*sighted)->at);
  CHECK(word(kOnceAt) == 0);
  CHECK(regs().rip >= note);
  const auto nothing = timeline.sighted_before(watching(kOnceAt, 8), {});
  REQUIRE(nothing);
  CHECK_FALSE(*nothing);
}

TEST_CASE_FIXTURE(Scene, "system calls stop in front and behind, in both directions") {
  const auto stops = std::make_shared<Stops>();
  stops->calls = std::vector<std::uint64_t>{SYS_getppid};
  struct Seen {
    Position position;
    Kind kind;
    Regs regs;
  };
  std::vector<Seen> seen;
  Orders wanted = orders();
  wanted.stops = stops;
  for (;;) {
    const auto halt = timeline.forward(wanted);
    REQUIRE(halt);
    if (halt->kind == Kind::End) break;
    CHECK(halt->number == SYS_getppid);
    seen.push_back({position(), halt->kind, regs()});
    REQUIRE(seen.size() <= 2 * kRounds);
    wanted.begun = halt->kind == Kind::CallBegins ? EventNo(position().event.value + 1) : EventNo();
  }
  REQUIRE(seen.size() == 2 * kRounds);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    CHECK(seen[i].kind == (i % 2 == 0 ? Kind::CallBegins : Kind::CallReturns));
  }
  for (std::size_t i = seen.size(); i-- > 0;) {
    const auto halt = backward(stops);
    REQUIRE(halt);
    CHECK(halt->kind == seen[i].kind);
    CHECK(position() == seen[i].position);
    CHECK(regs() == seen[i].regs);
  }
  CHECK_FALSE(backward(stops));
}

TEST_CASE_FIXTURE(Scene, "whoever gives up stays where he was") {
  go_to_end();
  const Position end = position();
  const Regs before = regs();
  const auto give_up = [] { return true; };
  const auto found = timeline.backward(watching(kTotal, 8), give_up);
  REQUIRE(found);
  // It may have been faster than the question.
  if (*found && (*found)->kind == Kind::Asked) {
    CHECK(position() == end);
    CHECK(regs() == before);
  }
  go_to(end);
  CHECK(regs() == before);
}

TEST_CASE_FIXTURE(Scene, "positions that the recording does not have are refused, and nothing moves") {
  forward(at_note());
  const Position here = position();
  for (const Position& nowhere :
       {Position{EventNo(1'000'000), Ticks(0), 0}, Position{here.event, here.ticks, 100'000}}) {
    CHECK_FALSE(timeline.seek(nowhere));
    CHECK(position() == here);
    CHECK(regs().rip == note);
  }
  CHECK_FALSE(timeline.seek_start(EventNo(1'000'000)));
  CHECK(position() == here);
}

TEST_CASE_FIXTURE(Scene, "a step over a range ends where it is left") {
  const auto stops = at_note();
  forward(stops);
  Orders wanted = orders();
  wanted.step = process;
  wanted.range_begin = note;
  wanted.range_end = word(COUNTING_DATA + offsetof(CountingData, start));
  REQUIRE(wanted.range_end > note);
  const std::uint64_t caller = word(regs().rsp);
  const auto halt = timeline.forward(wanted);
  REQUIRE(halt);
  CHECK(halt->kind == Kind::Stepped);
  CHECK(regs().rip == caller);
  CHECK(word(kSeldomAt) == 1);
}

TEST_CASE_FIXTURE(Scene, "there and back any number of times, everything is the same") {
  go_to_end();
  const Position end = position();
  const Regs last = regs();
  const std::uint64_t total = word(kTotal);
  CHECK(total == kNotes * (kNotes - 1) / 2);
  for (std::uint64_t i = 0; i < 6; ++i) {
    const EventNo event(end.event.value - i % 3 - 1);
    REQUIRE(timeline.seek_start(event));
    CHECK(timeline.session().position() == event);
    go_to_end();
    CHECK(position() == end);
    CHECK(regs() == last);
    CHECK(word(kTotal) == total);
  }
}
