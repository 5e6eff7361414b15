// The decoder against Capstone, over all code of real modules and over random bytes.
#include <capstone/capstone.h>
#include <doctest/doctest.h>

#include <random>

#include "tests/unit/patch/modules.h"
#include "tracee/patch/code_map.h"

using namespace tmrec::patch;

namespace {

class Reference {
 public:
  Reference() {
    REQUIRE(cs_open(CS_ARCH_X86, CS_MODE_64, &handle_) == CS_ERR_OK);
    insn_ = cs_malloc(handle_);
  }
  ~Reference() {
    cs_free(insn_, 1);
    cs_close(&handle_);
  }
  // 0: Capstone knows no such instruction.
  unsigned length(Bytes bytes) {
    const std::uint8_t* code = bytes.data();
    std::size_t size = bytes.size();
    std::uint64_t address = 0;
    return cs_disasm_iter(handle_, &code, &size, &address, insn_) ? insn_->size : 0;
  }
  std::string text() const { return std::string(insn_->mnemonic) + " " + insn_->op_str; }

 private:
  csh handle_ = 0;
  cs_insn* insn_ = nullptr;
};

std::optional<Insn> decode_hex(std::initializer_list<std::uint8_t> bytes) {
  std::vector<std::uint8_t> v(bytes);
  return decode(v, 0);
}

}  // namespace

TEST_CASE("lengths agree with Capstone wherever it knows an instruction") {
  Reference reference;
  for (const auto& path : modules()) {
    CAPTURE(path);
    auto file = contents(path);
    auto image = ElfImage::parse(file);
    REQUIRE(image);
    auto code = CodeMap::make(*image, read_unwind_info(*image));
    REQUIRE(code);
    CHECK(code->insns().size() > 1000);
    std::size_t different = 0;
    for (const Insn& insn : code->insns()) {
      unsigned length = reference.length(code->bytes(insn));
      if (length == 0 || length == insn.length) continue;
      ++different;
      MESSAGE(path, " at ", code->va(insn.at), ": ", int(insn.length), " here, ", length, " there: ", reference.text());
    }
    CHECK(different == 0);
  }
}

TEST_CASE("kinds and operands") {
  CHECK(decode_hex({0x74, 0xfe})->kind == Kind::JccShort);
  CHECK(decode_hex({0x0f, 0x84, 0, 0, 0, 0})->kind == Kind::JccNear);
  CHECK(decode_hex({0xff, 0x25, 0, 0, 0, 0})->rip_displacement == 2);
  CHECK(decode_hex({0xff, 0x25, 0, 0, 0, 0})->kind == Kind::JmpIndirect);
  CHECK(decode_hex({0x41, 0xff, 0xd4})->kind == Kind::CallIndirect);
  CHECK(decode_hex({0x0f, 0x05})->kind == Kind::Syscall);
  CHECK(decode_hex({0xcd, 0x80})->kind == Kind::Syscall);
  CHECK(decode_hex({0xcd, 0x03})->kind == Kind::Trap);
  CHECK(decode_hex({0x0f, 0x01, 0xf9})->kind == Kind::Rdtscp);
  CHECK(decode_hex({0x48, 0x0f, 0xc7, 0xf0})->kind == Kind::Rdrand);
  CHECK(decode_hex({0x0f, 0xc7, 0xf8})->kind == Kind::Rdseed);
  CHECK(decode_hex({0xf3, 0x48, 0x0f, 0xc7, 0xf8})->kind == Kind::Rdpid);
  CHECK(decode_hex({0x0f, 0x01, 0xd0})->kind == Kind::Xgetbv);
  CHECK(decode_hex({0xf3, 0x0f, 0x1e, 0xfa})->kind == Kind::Endbr);
  CHECK(decode_hex({0xc7, 0xf8, 0, 0, 0, 0})->kind == Kind::Xbegin);
  CHECK(decode_hex({0xd9, 0xc0})->kind == Kind::X87);
  // A rip-relative operand before an immediate.
  CHECK(decode_hex({0x48, 0x81, 0x3d, 0, 0, 0, 0, 1, 2, 3, 4})->length == 11);
  CHECK(decode_hex({0x48, 0x81, 0x3d, 0, 0, 0, 0, 1, 2, 3, 4})->rip_displacement == 3);
  CHECK(decode_hex({0x49, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8})->immediate == 8);
  CHECK(decode_hex({0x67, 0xe3, 0xfe})->odd);
}

TEST_CASE("what is cut off or invalid is no instruction") {
  CHECK_FALSE(decode({}, 0));
  CHECK_FALSE(decode_hex({0x06}));
  CHECK_FALSE(decode_hex({0x0f}));
  CHECK_FALSE(decode_hex({0xe9, 0, 0, 0}));
  CHECK_FALSE(
      decode_hex({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90}));
  std::mt19937 random(1);
  for (int i = 0; i < 200000; ++i) {
    std::vector<std::uint8_t> bytes(random() % 20);
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
    auto insn = decode(bytes, 0);
    if (insn) CHECK((insn->length <= bytes.size() && insn->length <= 15 && insn->length > 0));
  }
}
