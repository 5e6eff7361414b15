// A log that can't be written any more must never hold up or end the recorded program.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <chrono>

#include "format/log.h"
#include "tests/unit/format/samples.h"

using namespace tmrec;

namespace {

// write(2) beyond the limit fails with EFBIG; the signal is blocked in the writing thread. Stands for a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit now = before_;
    now.rlim_cur = bytes;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &now) == 0);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

Event incompressible(std::uint64_t seed) {
  SyscallEvent call;
  call.extents.push_back({RemoteAddr(0x1000), Bytes(50'000), false});
  for (std::uint8_t& b : call.extents[0].bytes)
    b = static_cast<std::uint8_t>((seed = seed * 6364136223846793005u + 1) >> 56);
  Event event;
  event.body = std::move(call);
  return event;
}

}  // namespace

TEST_CASE("when the disk is full, appending goes on cheaply and what was written can be read") {
  const samples::TemporaryDirectory dir;
  auto log = LogWriter::create(dir.path());
  REQUIRE(log);
  {
    const FileSizeLimit limit(3 << 20);
    std::uint64_t appended = 0;
    while (!(*log)->failed() && appended < 2000) (*log)->append(incompressible(++appended));
    REQUIRE((*log)->failed());
  }
  CHECK((*log)->error().text.find("log/000001: File too large") != std::string::npos);

  Event event = incompressible(1);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) CHECK((*log)->append(event) == EventNo(0));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));

  const auto finished = (*log)->finish();
  REQUIRE_FALSE(finished);
  CHECK(finished.error().text == (*log)->error().text);

  // The chunk that did not fit was taken back, so that the log ends cleanly.
  auto reader = LogReader::open(dir.path());
  REQUIRE(reader);
  std::uint64_t read = 0;
  while (true) {
    const auto next = reader->next();
    REQUIRE_MESSAGE(next, next.error().text);
    if (!*next) break;
    CHECK((*next)->no.value == ++read);
  }
  CHECK(read >= 20);
  CHECK_FALSE(reader->torn());
}

TEST_CASE("a log can be abandoned without finishing it") {
  const samples::TemporaryDirectory dir;
  {
    auto log = LogWriter::create(dir.path());
    REQUIRE(log);
    (*log)->append(incompressible(1));
  }
  auto reader = LogReader::open(dir.path());
  REQUIRE(reader);
  const auto event = reader->next();
  REQUIRE(event);
  CHECK(*event);
}
