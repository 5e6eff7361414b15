#include "tracee/module_image.h"

#define XXH_INLINE_ALL
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "tracee/cache_file.h"

namespace tmrec::tracee {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMagic = 0x6567616d6972636d;  // "mcrimage"

// The last bytes of the file.
struct Trailer {
  std::uint64_t magic;
  TextPages text;
  std::uint64_t block_at, block_size;
  std::array<char, 32> plan;  // BlobId::hex
  std::uint64_t sum;          // xxh3 of the text's pages, the block, and what stands before this
};
static_assert(sizeof(Trailer) == 80);

patch::Bytes bytes_of(const Trailer& trailer) {
  return {reinterpret_cast<const std::uint8_t*>(&trailer), sizeof trailer};
}

std::uint64_t sum_of(patch::Bytes text, patch::Bytes block, const Trailer& trailer) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, text.data(), text.size());
  XXH3_64bits_update(&state, block.data(), block.size());
  XXH3_64bits_update(&state, &trailer, offsetof(Trailer, sum));
  return XXH3_64bits_digest(&state);
}

Trailer trailer_of(const EncodedPlan& plan, std::uint64_t block_at) {
  Trailer trailer{kMagic, text_pages(*plan.plan), block_at, plan.plan->block.size(), {}, 0};
  std::copy_n(plan.id.hex.begin(), std::min(plan.id.hex.size(), trailer.plan.size()), trailer.plan.begin());
  return trailer;
}

// Pages of a file, mapped.
struct Pages {
  Pages(int fd, std::uint64_t offset, std::uint64_t length)
      : size(length),
        at(::mmap(nullptr, length, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, static_cast<off_t>(offset))) {}
  ~Pages() {
    if (at != MAP_FAILED) ::munmap(at, size);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  patch::Bytes bytes() const { return {static_cast<const std::uint8_t*>(at), size}; }

  std::uint64_t size;
  void* at;
};

std::string directory_of(const EncodedPlan& plan) {
  return plan.name.substr(0, plan.name.rfind('.')) + std::string(kImageSuffix);
}

// The pages of the text as they are to be; empty: the edits are not for this file.
std::vector<std::uint8_t> patched_pages(const patch::Plan& plan, patch::Bytes file) {
  const auto [begin, end] = text_pages(plan);
  if (plan.text_offset > file.size() || plan.text_size > file.size() - plan.text_offset) return {};
  std::vector<std::uint8_t> pages(end - begin);
  const auto there = file.subspan(begin, std::min<std::uint64_t>(file.size() - begin, pages.size()));
  std::ranges::copy(there, pages.begin());
  const std::span<std::uint8_t> text = std::span(pages).subspan(plan.text_offset - begin, plan.text_size);
  const std::uint8_t* original = plan.originals().data();
  for (const patch::Edit& edit : plan.edits) {
    if (!std::equal(original, original + edit.length, text.data() + edit.program)) return {};
    original += edit.length;
  }
  plan.apply(text);
  return pages;
}

}  // namespace

TextPages text_pages(const patch::Plan& plan) {
  return {page_down(plan.text_offset), page_up(plan.text_offset + plan.text_size)};
}

std::shared_ptr<const ModuleImage> find_image(int directory, const fs::path& path, const EncodedPlan& plan,
                                              const std::string& module) {
  const std::string name = directory_of(plan) + "/" + module;
  CacheFile found = open_cache_file(directory, name);
  Trailer trailer;
  if (!found.file || found.size < sizeof trailer) return nullptr;
  std::span<std::uint8_t> end(reinterpret_cast<std::uint8_t*>(&trailer), sizeof trailer);
  if (read_at(found.file->get(), found.size - sizeof trailer, end) != sizeof trailer) return nullptr;
  const std::uint64_t block_size = plan.plan->block.size();
  if (block_size > found.size - sizeof trailer) return nullptr;
  Trailer expected = trailer_of(plan, found.size - sizeof trailer - block_size);
  if (expected.text.end > expected.block_at || expected.block_at % kPageSize != 0) return nullptr;
  const Pages text(found.file->get(), expected.text.begin, expected.text.end - expected.text.begin);
  const Pages block(found.file->get(), expected.block_at, block_size);
  if (text.at == MAP_FAILED || block.at == MAP_FAILED) return nullptr;
  expected.sum = sum_of(text.bytes(), block.bytes(), expected);
  if (std::memcmp(&expected, &trailer, sizeof trailer) != 0) return nullptr;
  ::futimens(found.file->get(), nullptr);
  return std::make_shared<const ModuleImage>(ModuleImage{std::move(found.file), path / name, expected.block_at});
}

bool put_image(int directory, const EncodedPlan& plan, patch::Bytes file, const std::string& module) {
  const std::vector<std::uint8_t> text = patched_pages(*plan.plan, file);
  if (text.empty()) return false;
  const std::uint64_t file_size = std::max<std::uint64_t>(file.size(), text_pages(*plan.plan).end);
  Trailer trailer = trailer_of(plan, page_up(file_size));
  trailer.sum = sum_of(text, plan.plan->block, trailer);
  const std::vector<std::uint8_t> gap(trailer.block_at - file_size);
  const std::string parent = directory_of(plan);
  if (::mkdirat(directory, parent.c_str(), 0700) != 0 && errno != EEXIST) return false;
  const patch::Bytes behind = file.subspan(std::min<std::uint64_t>(file.size(), trailer.text.end));
  return write_cache_file(directory, parent + "/" + module,
                          {file.first(trailer.text.begin), text, behind, gap, plan.plan->block, bytes_of(trailer)});
}

}  // namespace tmrec::tracee
