// Damaged modules: an error or a plan, never a crash, and never an edit outside of the text.
#include <doctest/doctest.h>
#include <elf.h>

#include <random>

#include "tests/unit/patch/modules.h"
#include "tracee/patch/elf_image.h"
#include "tracee/patch/plan.h"

using namespace tmrec;
using namespace tmrec::patch;

namespace {

void survive(const std::vector<std::uint8_t>& file) {
  auto plan = make_plan(file);
  if (!plan) return;
  std::vector<std::uint8_t> text(plan->text_size);
  plan->apply(text);
  std::string encoded = plan->encode();
  CHECK(Plan::decode(Bytes(reinterpret_cast<const std::uint8_t*>(encoded.data()), encoded.size())).has_value());
}

}  // namespace

TEST_CASE("truncated and foreign files") {
  auto file = contents("/usr/lib/x86_64-linux-gnu/libz.so.1");
  REQUIRE(file.size() > 10000);
  for (std::size_t size :
       {std::size_t{0}, std::size_t{4}, std::size_t{63}, std::size_t{64}, std::size_t{500}, file.size() / 2}) {
    survive({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)});
  }
  CHECK_FALSE(make_plan({}));
  file[4] = ELFCLASS32;
  CHECK_FALSE(make_plan(file));
}

TEST_CASE("bytes changed at random") {
  const auto original = contents("/usr/lib/x86_64-linux-gnu/libz.so.1");
  auto image = ElfImage::parse(original);
  REQUIRE(image);
  auto offset_of = [&](const char* name) {
    const Section* s = image->section(name);
    REQUIRE(s);
    return std::pair(static_cast<std::size_t>(s->bytes.data() - original.data()), s->bytes.size());
  };
  std::vector<std::pair<std::size_t, std::size_t>> areas = {
      {0, 64 + 10 * sizeof(Elf64_Phdr)},
      offset_of(".eh_frame"),
      offset_of(".dynamic"),
      offset_of(".text"),
      offset_of(".dynsym"),
      offset_of(".rodata"),
      {original.size() - 30 * sizeof(Elf64_Shdr), 30 * sizeof(Elf64_Shdr)}};
  std::mt19937 random(7);
  for (int round = 0; round < 140; ++round) {
    auto file = original;
    auto [begin, size] = areas[static_cast<std::size_t>(round) % areas.size()];
    for (unsigned n = 1 + random() % 20; n > 0; --n) {
      static constexpr std::uint8_t kNasty[] = {0, 1, 0x7f, 0x80, 0xff};
      file[begin + random() % size] = random() % 2 ? kNasty[random() % 5] : static_cast<std::uint8_t>(random());
    }
    survive(file);
  }
}
