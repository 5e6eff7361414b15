#include "format/log.h"

#include <doctest/doctest.h>
#include <sched.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "tests/unit/format/samples.h"

using namespace tmrec;
namespace fs = std::filesystem;

namespace {

struct ReadLog {
  std::vector<Event> events;
  std::string error;
  std::string lost;
};

ReadLog read_all(const fs::path& dir) {
  ReadLog out;
  auto reader = LogReader::open(dir);
  if (!reader) return {{}, reader.error().text, ""};
  while (true) {
    auto event = reader->next();
    if (!event) {
      out.error = event.error().text;
      return out;
    }
    if (!*event) break;
    out.events.push_back(std::move(**event));
  }
  out.lost = reader->lost();
  return out;
}

Event call_with(std::size_t output_bytes) {
  SyscallEvent call;
  call.extents.push_back({RemoteAddr(0x1000), Bytes(output_bytes), false});
  static std::uint64_t seed = 1;  // incompressible, also across events
  for (std::uint8_t& b : call.extents[0].bytes)
    b = static_cast<std::uint8_t>((seed = seed * 6364136223846793005u + 1) >> 56);
  Event event;
  event.body = std::move(call);
  return event;
}

// Whether `done` became true within five seconds.
template <class F>
bool eventually(F done) {
  for (int i = 0; i < 500; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace

TEST_CASE("what is appended is read again, numbered from one") {
  const samples::TemporaryDirectory dir;
  auto log = LogWriter::create(dir.path());
  REQUIRE_MESSAGE(log, log.error().text);
  CHECK((*log)->last() == EventNo(0));
  for (Event event : samples::events()) {
    const EventNo expected = event.no;
    event.no = EventNo(999);  // the log numbers
    CHECK((*log)->append(std::move(event)) == expected);
    CHECK((*log)->last() == expected);
  }
  const auto finished = (*log)->finish();
  REQUIRE_MESSAGE(finished, finished.error().text);
  CHECK((*log)->append(Event{}) == EventNo(0));

  const ReadLog read = read_all(dir.path());
  CHECK(read.error == "");
  CHECK(read.lost == "");
  const auto expected = samples::events();
  REQUIRE(read.events.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(samples::same(read.events[i], expected[i]));
}

TEST_CASE("system calls appended in one go are read as single events, by a copy of the reader too") {
  const samples::TemporaryDirectory dir;
  auto log = LogWriter::create(dir.path());
  REQUIRE(log);
  const Bytes records = samples::call_records();
  CHECK((*log)->append(samples::calls(records)) == EventNo(3));
  CHECK((*log)->append(call_with(5)) == EventNo(4));
  CHECK((*log)->append(samples::calls(records)) == EventNo(7));
  REQUIRE((*log)->finish());

  const ReadLog read = read_all(dir.path());
  CHECK(read.error == "");
  REQUIRE(read.events.size() == 7);
  for (const std::uint64_t first : {1, 5}) {
    const auto expected = samples::events_of_calls(first);
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(samples::same(read.events[first - 1 + i], expected[i]));
  }
  auto reader = LogReader::open(dir.path());
  REQUIRE(reader);
  REQUIRE(reader->next());
  auto copy = reader->copy();
  REQUIRE(copy);
  for (std::uint64_t no = 2; no <= 7; ++no) {
    const auto event = copy->next();
    REQUIRE(event);
    CHECK((**event).no == EventNo(no));
  }
  CHECK(reader->last() == EventNo(1));
}

TEST_CASE("a damaged batch of system calls is an error, whatever byte is wrong or missing") {
  const Bytes records = samples::call_records();
  Bytes whole;
  REQUIRE(encode(samples::calls(records), whole));
  const auto read = [](const Bytes& record) {
    auto reader = CallBatchReader::open(record);
    while (reader && !reader->done()) {
      if (const auto event = reader->next(); !event) return false;
    }
    return reader.has_value();
  };
  CHECK(read(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(read(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))));
  }
  // What a record's head says of its size and of what follows.
  const std::size_t head = whole.size() - records.size();
  for (std::size_t at = head; at < head + 8; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes damaged = whole;
      damaged[at] ^= static_cast<std::uint8_t>(1u << bit);
      CHECK_FALSE(read(damaged));
    }
  }
}

TEST_CASE("an empty log is a log") {
  const samples::TemporaryDirectory dir;
  auto log = LogWriter::create(dir.path());
  REQUIRE(log);
  REQUIRE((*log)->finish());
  const ReadLog read = read_all(dir.path());
  CHECK(read.error == "");
  CHECK(read.events.empty());
}

TEST_CASE("an event reaches the file without another one following") {
  const samples::TemporaryDirectory dir;
  auto log = LogWriter::create(dir.path());
  REQUIRE(log);
  for (std::size_t n = 1; n <= 3; ++n) {
    (*log)->append(call_with(10));
    CHECK(eventually([&] { return read_all(dir.path()).events.size() == n; }));
  }
  REQUIRE((*log)->finish());
}

TEST_CASE("a log of many chunks and segments keeps its order; segments keep their size") {
  const samples::TemporaryDirectory dir;
  auto log = LogWriter::create(dir.path());
  REQUIRE(log);
  constexpr int kEvents = 700;
  for (int i = 0; i < kEvents; ++i)
    REQUIRE((*log)->append(call_with(100'000)).value == static_cast<std::uint64_t>(i + 1));
  const auto finished = (*log)->finish();
  REQUIRE_MESSAGE(finished, finished.error().text);
  REQUIRE(fs::exists(log_segment_path(dir.path(), 2)));
  CHECK_FALSE(fs::exists(log_segment_path(dir.path(), 3)));
  CHECK(fs::file_size(log_segment_path(dir.path(), 1)) <= 64u << 20);

  auto reader = LogReader::open(dir.path());
  REQUIRE(reader);
  for (std::uint64_t i = 1; i <= kEvents; ++i) {
    const auto event = reader->next();
    REQUIRE_MESSAGE(event, event.error().text);
    REQUIRE(*event);
    CHECK((*event)->no.value == i);
    CHECK(reader->last().value == i);
  }
  const auto end = reader->next();
  REQUIRE(end);
  CHECK_FALSE(*end);
  CHECK_FALSE(reader->torn());
}

TEST_CASE("one event may be much larger than a chunk and a segment") {
  const samples::TemporaryDirectory dir;
  auto log = LogWriter::create(dir.path());
  REQUIRE(log);
  (*log)->append(call_with(1));
  const Event large = call_with(70u << 20);
  (*log)->append(large);
  (*log)->append(call_with(2));
  const auto finished = (*log)->finish();
  REQUIRE_MESSAGE(finished, finished.error().text);
  const ReadLog read = read_all(dir.path());
  CHECK(read.error == "");
  REQUIRE(read.events.size() == 3);
  CHECK(std::get<SyscallEvent>(read.events[1].body).extents[0].bytes ==
        std::get<SyscallEvent>(large.body).extents[0].bytes);
}

TEST_CASE("files are private") {
  const samples::TemporaryDirectory dir;
  auto log = LogWriter::create(dir.path());
  REQUIRE(log);
  const auto mode = [](const fs::path& p) { return static_cast<unsigned>(fs::status(p).permissions()); };
  CHECK(mode(dir.path() / "log") == 0700);
  CHECK(mode(log_segment_path(dir.path(), 1)) == 0600);
}

TEST_CASE("the writing thread blocks signals and keeps the CPUs it was given") {
  const samples::TemporaryDirectory dir;
  cpu_set_t before, one;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  // The supervisor pins itself first and hands over the mask from before.
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  auto log = LogWriter::create(dir.path(), LogWriter::kStall, before);
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
  REQUIRE(log);
  bool found = false;
  const bool ready = eventually([&] {
    for (const auto& task : fs::directory_iterator("/proc/self/task")) {
      std::ifstream status(task.path() / "status");
      std::string line, name, blocked;
      while (std::getline(status, line)) {
        if (line.starts_with("Name:")) name = line.substr(6);
        if (line.starts_with("SigBlk:")) blocked = line.substr(8);
      }
      if (name != "tmrec-log") continue;
      found = true;
      cpu_set_t mask;
      if (sched_getaffinity(std::stoi(task.path().filename().string()), sizeof mask, &mask) != 0) continue;
      // SIGKILL, SIGSTOP and glibc's two internal signals can't be blocked.
      const bool all_blocked = (std::stoull(blocked, nullptr, 16) | 0x180040100) == UINT64_MAX;
      if (all_blocked && CPU_EQUAL(&mask, &before)) return true;
    }
    return false;
  });
  CHECK(found);
  CHECK(ready);
}

TEST_CASE("a log is created once") {
  const samples::TemporaryDirectory dir;
  REQUIRE(LogWriter::create(dir.path()));
  const auto again = LogWriter::create(dir.path());
  REQUIRE_FALSE(again);
  CHECK(again.error().text.find("log: File exists") != std::string::npos);
}

namespace {

Event start_event() {
  for (Event& event : samples::events()) {
    if (std::holds_alternative<StartEvent>(event.body)) return event;
  }
  return {};
}

}  // namespace

TEST_CASE("a log whose beginning was dropped begins with a starting point") {
  const samples::TemporaryDirectory scratch;
  LogPlace begun, end;
  {
    auto log = LogWriter::create(scratch.path());
    REQUIRE(log);
    for (int i = 0; i < 3; ++i) (*log)->append(call_with(10));
    (*log)->begin_segment([&](const LogPlace& place) { begun = place; });
    CHECK((*log)->append(start_event()) == EventNo(4));
    (*log)->append(call_with(10));
    (*log)->begin_segment([&](const LogPlace& place) { end = place; });
    REQUIRE((*log)->finish());
  }
  CHECK(begun.segment == 2);
  CHECK(begun.event == EventNo(4));
  CHECK(end.segment == 3);
  CHECK(end.event == EventNo(6));
  CHECK(read_all(scratch.path()).events.size() == 5);
  fs::remove(log_segment_path(scratch.path(), 3));
  Event last;
  last.body = EndEvent{"saved"};
  REQUIRE(write_log_end(scratch.path(), end, last));
  fs::remove(log_segment_path(scratch.path(), 1));
  const ReadLog rest = read_all(scratch.path());
  CHECK(rest.error.empty());
  REQUIRE(rest.events.size() == 3);
  CHECK(rest.events[0].no == EventNo(4));
  CHECK(std::holds_alternative<StartEvent>(rest.events[0].body));
  CHECK(std::holds_alternative<EndEvent>(rest.events[2].body));
}

TEST_CASE("another beginning is missing") {
  const samples::TemporaryDirectory scratch;
  {
    auto log = LogWriter::create(scratch.path());
    REQUIRE(log);
    (*log)->append(call_with(10));
    (*log)->begin_segment([](const LogPlace&) {});
    (*log)->append(call_with(10));
    REQUIRE((*log)->finish());
  }
  CHECK(read_all(scratch.path()).events.size() == 2);
  fs::remove(log_segment_path(scratch.path(), 1));
  const ReadLog rest = read_all(scratch.path());
  CHECK(rest.events.empty());
  CHECK(rest.error.find("the beginning of the log is missing") != std::string::npos);
}
