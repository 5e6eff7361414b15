#include "format/codec.h"

#include <doctest/doctest.h>

#include <cstring>

#include "format/syscall_record.h"
#include "tests/unit/format/samples.h"

using namespace tmrec;

namespace {

Bytes encoded(const Event& event) {
  Bytes out;
  REQUIRE(encode(event, out));
  return out;
}

void check_bad(const Bytes& record, const std::string& part_of_text) {
  const auto event = decode(record);
  REQUIRE_FALSE(event);
  CHECK(event.error().kind == ErrorKind::BadTrace);
  CHECK_MESSAGE(event.error().text.find(part_of_text) != std::string::npos, event.error().text);
}

template <class T>
void patch(Bytes& record, std::size_t at, T value) {
  std::memcpy(record.data() + at, &value, sizeof value);
}

constexpr std::size_t kCall = sizeof(RecordHead);

}  // namespace

TEST_CASE("every kind of event survives encoding") {
  for (const Event& event : samples::events()) {
    const auto decoded = decode(encoded(event));
    REQUIRE_MESSAGE(decoded, decoded.error().text);
    CHECK_MESSAGE(samples::same(event, *decoded), "event ", event.no.value);
  }
}

TEST_CASE("records are told apart by their size") {
  Bytes all;
  for (const Event& event : samples::events()) REQUIRE(encode(event, all));
  std::span<const std::uint8_t> rest(all);
  for (const Event& event : samples::events()) {
    const auto size = record_size(rest);
    REQUIRE(size);
    const auto decoded = decode(rest.first(*size));
    REQUIRE(decoded);
    CHECK(samples::same(event, *decoded));
    rest = rest.subspan(*size);
  }
  CHECK(rest.empty());
  CHECK_FALSE(record_size(rest));
}

TEST_CASE("a record that is cut anywhere is an error") {
  for (const Event& event : samples::events()) {
    const Bytes record = encoded(event);
    for (std::size_t n = 0; n < record.size(); ++n) {
      Bytes cut(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(n));
      CHECK_FALSE(decode(cut));
      if (n < sizeof(RecordHead)) continue;
      patch(cut, 0, static_cast<std::uint32_t>(n));  // also when the size says so
      CHECK_FALSE(decode(cut));
    }
  }
}

TEST_CASE("a record with bytes to spare is an error") {
  for (const Event& event : samples::events()) {
    Bytes record = encoded(event);
    record.push_back(0);
    CHECK_FALSE(decode(record));
    patch(record, 0, static_cast<std::uint32_t>(record.size()));
    CHECK_FALSE(decode(record));
  }
}

TEST_CASE("a flipped bit never does more than change a value") {
  for (const Event& event : samples::events()) {
    const Bytes record = encoded(event);
    std::size_t errors = 0;
    for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
      Bytes damaged = record;
      damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      const auto decoded = decode(damaged);
      if (!decoded) {
        CHECK(decoded.error().kind == ErrorKind::BadTrace);
        ++errors;
      } else {
        CHECK_FALSE(samples::same(event, *decoded));
        CHECK(encoded(*decoded) == damaged);  // nothing of it was ignored
      }
    }
    CHECK(errors > 0);
  }
}

TEST_CASE("values out of their range are errors that name the event") {
  const Event call = samples::events()[1];
  REQUIRE(std::holds_alternative<SyscallEvent>(call.body));
  Bytes record = encoded(call);
  SUBCASE("kind") {
    patch<std::uint8_t>(record, offsetof(RecordHead, kind), 200);
    check_bad(record, "event 2 is damaged: unknown kind");
  }
  SUBCASE("phase") {
    patch<std::uint8_t>(record, kCall + offsetof(SyscallRecord, phase), 3);
    check_bad(record, "phase");
  }
  SUBCASE("stream") {
    patch<std::uint8_t>(record, kCall + offsetof(SyscallRecord, stream), 3);
    check_bad(record, "stream");
  }
  SUBCASE("flags") {
    patch<std::uint8_t>(record, kCall + offsetof(SyscallRecord, flags), 2);
    check_bad(record, "flags");
  }
  SUBCASE("extents") {
    patch<std::uint32_t>(record, kCall + offsetof(SyscallRecord, extents), UINT32_MAX);
    check_bad(record, "extents");
  }
  SUBCASE("length of an extent") {
    patch<std::uint32_t>(record, kCall + sizeof(SyscallRecord) + offsetof(ExtentHead, len), UINT32_MAX);
    check_bad(record, "too early");
  }
  SUBCASE("attachment") {
    patch<std::uint32_t>(record, kCall + offsetof(SyscallRecord, attachment_size), 1);
    check_bad(record, "attachment");
  }
}

TEST_CASE("a length that promises more than there is allocates nothing") {
  Bytes record = encoded(samples::events()[0]);  // ExecEvent: begins with a string
  patch<std::uint64_t>(record, sizeof(RecordHead), std::uint64_t{1} << 62);
  check_bad(record, "a length is larger than what follows");
}

TEST_CASE("an event that is too large is refused and leaves the output alone") {
  for (const Event& event : samples::events()) {
    const std::size_t size = encoded(event).size();
    Bytes out{1, 2, 3};
    CHECK_FALSE(encode(event, out, size - 1));
    CHECK(out == Bytes{1, 2, 3});
    CHECK(encode(event, out, size));
    CHECK(out.size() == 3 + size);
  }
}

TEST_CASE("a snapshot's note survives encoding, and no damage to it crashes") {
  const Snapshot snapshot = samples::snapshot();
  const Bytes note = encode_snapshot_note(snapshot);
  const auto decoded = decode_snapshot_note(note);
  REQUIRE(decoded);
  CHECK(samples::same_but_pages(snapshot, *decoded));
  CHECK(decoded->pages.empty());
  for (std::size_t n = 0; n < note.size(); ++n) CHECK_FALSE(decode_snapshot_note(std::span(note).first(n)));
  for (std::size_t bit = 0; bit < note.size() * 8; ++bit) {
    Bytes damaged = note;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    if (const auto other = decode_snapshot_note(damaged)) CHECK_FALSE(samples::same_but_pages(snapshot, *other));
  }
}
