#include "format/syscall_record.h"

#include <doctest/doctest.h>

#include "format/codec.h"
#include "tests/unit/format/freestanding_record.h"

using namespace tmrec;

TEST_CASE("what freestanding code writes, the codec reads") {
  Bytes buffer(1000, 0xee);
  const std::size_t size = write_freestanding_record(buffer.data(), buffer.size());
  REQUIRE(size > 0);
  CHECK(buffer[size] == 0xee);
  buffer.resize(size);
  const auto event = decode(buffer);
  REQUIRE_MESSAGE(event, event.error().text);
  CHECK(event->no == EventNo(9));
  CHECK(event->tid == Tid(42));
  const auto& call = std::get<SyscallEvent>(event->body);
  CHECK(call.ret == -7);
  CHECK(call.regs.orig_rax == 5);
  REQUIRE(call.extents.size() == 1);
  CHECK(call.extents[0].addr == RemoteAddr(0x1000));
  CHECK(call.extents[0].bytes == Bytes{1, 2, 3, 4});
  CHECK_FALSE(call.extents[0].input);
}

TEST_CASE("a record never passes the end of its buffer") {
  Bytes whole(1000);
  const std::size_t size = write_freestanding_record(whole.data(), whole.size());
  for (std::size_t capacity = 0; capacity < size; ++capacity) {
    Bytes buffer(size, 0xee);
    CHECK(write_freestanding_record(buffer.data(), capacity) == 0);
    for (std::size_t i = capacity; i < size; ++i) REQUIRE(buffer[i] == 0xee);
  }
  Bytes exact(size);
  CHECK(write_freestanding_record(exact.data(), size) == size);
}

TEST_CASE("after something did not fit, everything else is refused") {
  Bytes buffer(sizeof(RecordHead) + sizeof(SyscallRecord) + 20);
  RecordWriter writer(buffer.data(), buffer.size());
  REQUIRE(writer.begin({}, {}));
  const Bytes large(100, 1), small(1, 1);
  CHECK_FALSE(writer.extent(0, large.data(), large.size(), false));
  CHECK_FALSE(writer.ok());
  CHECK_FALSE(writer.extent(0, small.data(), small.size(), false));
  CHECK_FALSE(writer.attachment(small.data(), small.size()));
  CHECK(writer.finish() == 0);
}

TEST_CASE("extents come before the attachment") {
  Bytes buffer(1000);
  RecordWriter writer(buffer.data(), buffer.size());
  REQUIRE(writer.begin({}, {}));
  const Bytes one(1, 1);
  REQUIRE(writer.attachment(one.data(), one.size()));
  CHECK_FALSE(writer.extent(0, one.data(), one.size(), false));
  CHECK(writer.finish() == 0);
}

TEST_CASE("a record that was never begun is none") {
  Bytes buffer(1000);
  RecordWriter writer(buffer.data(), buffer.size());
  CHECK(writer.finish() == 0);
}
