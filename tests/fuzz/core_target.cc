#include <algorithm>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "format/core_file.h"
#include "format/core_layout.h"
#include "tests/fuzz/target.h"
#include "tests/unit/format/samples.h"

namespace tmrec::fuzz {

namespace {

// Makes the hash right again, so that what lies behind it is reached.
void repair(Bytes& file) {
  const auto* owner = reinterpret_cast<const std::uint8_t*>(core::kOwner);
  const auto found = std::search(file.begin(), file.end(), owner, owner + sizeof core::kOwner);
  const std::size_t head = static_cast<std::size_t>(found - file.begin()) + core::align4(sizeof core::kOwner);
  const std::size_t at = head + offsetof(core::NoteHead, hash);
  if (found == file.end() || at + sizeof(std::uint64_t) > file.size()) return;
  std::memset(file.data() + at, 0, sizeof(std::uint64_t));
  const std::uint64_t hash = XXH3_64bits(file.data(), file.size());
  std::memcpy(file.data() + at, &hash, sizeof hash);
}

void read_one(const Bytes& file) {
  static const samples::TemporaryDirectory dir;
  const std::filesystem::path path = dir.path() / "snapshot-1-1.core";
  samples::overwrite(path, file);
  const auto snapshot = read_core(path);
  if (!snapshot) {
    require(snapshot.error().text.starts_with(path.string()), "errors name the file");
    return;
  }
  require(core::fault_of(snapshot->mappings) == nullptr, "mappings are ordered");
  for (const Extent& e : snapshot->pages)
    require(core::mapping_of(snapshot->mappings, e.addr, e.addr + e.bytes.size()) != nullptr, "pages lie in mappings");
}

void run(std::span<const std::uint8_t> input) {
  Bytes file(input.begin(), input.end());
  read_one(file);
  repair(file);
  read_one(file);
}

std::vector<Bytes> seeds() {
  const samples::TemporaryDirectory dir;
  Snapshot small = samples::snapshot();
  small.pages.resize(1);
  std::vector<Bytes> out;
  for (const Snapshot& s : {samples::snapshot(), small, Snapshot{}}) {
    const auto path = dir.path() / std::to_string(out.size());
    require(write_core(s, path).has_value(), "a snapshot can be written");
    out.push_back(samples::contents(path));
  }
  return out;
}

}  // namespace

const Target core_target{"core", run, seeds};

}  // namespace tmrec::fuzz
