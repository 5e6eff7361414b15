#include "gdbstub/registers.h"

#include <doctest/doctest.h>

#include <cstring>

using namespace tmrec;
using namespace tmrec::gdbstub;

namespace {

// With the components of the mask, as the kernel says it.
Bytes area(std::uint64_t components, std::size_t size = 832) {
  Bytes bytes(size, 0);
  std::memcpy(bytes.data() + 472, &components, sizeof components);
  return bytes;
}

}  // namespace

TEST_CASE("what is described depends on the components") {
  const RegisterLayout sse(area(3, 576)), avx(area(7));
  CHECK(sse.description().find("org.gnu.gdb.i386.avx") == std::string::npos);
  CHECK(avx.description().find("org.gnu.gdb.i386.avx\"") != std::string::npos);
  CHECK(avx.count() == sse.count() + 16);
  CHECK(RegisterLayout({}).count() == sse.count());
}

TEST_CASE("every register can be set and comes back") {
  const RegisterLayout layout(area(7));
  RegisterFile file{{}, area(7)};
  for (std::size_t i = 0; i < layout.count(); ++i) {
    std::string value = layout.get(file, i);
    REQUIRE_FALSE(value.empty());
    value[0] = static_cast<char>(i + 1);
    CAPTURE(i);
    REQUIRE(layout.set(file, i, value));
    const bool tags = i == 34;  // the x87 tag word: only whether registers are empty is kept
    if (!tags) CHECK(layout.get(file, i) == value);
  }
  RegisterFile other{{}, area(7)};
  const std::string all = layout.all(file);
  REQUIRE(layout.set_all(other, all));
  CHECK(layout.all(other) == all);
}

TEST_CASE("registers have the numbers that clients expect") {
  const RegisterLayout layout(area(3, 576));
  RegisterFile file{{}, area(3, 576)};
  file.general.rip = 0x1122334455667788;
  file.general.rsp = 5;
  file.general.eflags = 0x246;
  CHECK(layout.get(file, RegisterLayout::kRip) == std::string("\x88\x77\x66\x55\x44\x33\x22\x11"));
  CHECK(layout.get(file, RegisterLayout::kRsp)[0] == 5);
  CHECK(layout.get(file, 17) == std::string("\x46\x02\0\0", 4));
}

TEST_CASE("an empty x87 stack has tags that say so") {
  const RegisterLayout layout(area(3, 576));
  RegisterFile file{{}, area(3, 576)};
  CHECK(layout.get(file, 34) == std::string("\xff\xff\0\0", 4));
  file.extended[4] = 1;
  file.extended[32 + 7] = 0x80;  // 1.0 in st0
  file.extended[32 + 8] = 0xff;
  file.extended[32 + 9] = 0x3f;
  CHECK(layout.get(file, 34) == std::string("\xfc\xff\0\0", 4));
}

TEST_CASE("no register is set to what it cannot hold") {
  const RegisterLayout layout(area(3, 576));
  RegisterFile file{{}, area(3, 576)};
  CHECK_FALSE(layout.set(file, 0, "short"));
  CHECK_FALSE(layout.set(file, layout.count(), "12345678"));
  CHECK_FALSE(layout.set_all(file, "x"));
  CHECK(layout.get(file, layout.count()).empty());
}
