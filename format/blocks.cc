#include "format/blocks.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "format/calls.h"
#include "format/codec.h"
#include "format/file_io.h"
#include "format/xxh3.h"

namespace tmrec {

namespace {

constexpr std::size_t kSeen = std::size_t{1} << 16;  // blocks
constexpr std::size_t kWays = 8, kSets = 1024;       // of those kept: 32 MiB

void append(Bytes& to, std::span<const std::uint8_t> bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

}  // namespace

struct KnownBlocks::Kept {
  std::uint64_t hash = 0;  // XXH3-64
  std::uint64_t used = 0;  // when: counts up
  std::uint32_t at = 0;    // in this segment; 0: nowhere
  std::uint32_t room = 0;  // which of bytes_ it has, then
};

KnownBlocks::KnownBlocks() = default;
KnownBlocks::~KnownBlocks() = default;

// The same rooms are used again from the first one on, so that as much memory is touched as a segment needs.
void KnownBlocks::begin_segment() {
  for (Kept& kept : kept_) kept = {};
  rooms_used_ = 0;
}

std::uint8_t* KnownBlocks::bytes_of(const Kept& kept) const {
  return bytes_.get() + std::size_t{kept.room} * kBlockSize;
}

KnownBlocks::Kept* KnownBlocks::find(std::uint64_t hash, const std::uint8_t* block) {
  if (kept_.empty()) return nullptr;
  for (Kept& kept : std::span(kept_).subspan(hash % kSets * kWays, kWays)) {
    if (kept.hash == hash && kept.at != 0 && std::memcmp(bytes_of(kept), block, kBlockSize) == 0) return &kept;
  }
  return nullptr;
}

bool KnownBlocks::has_been_seen(std::uint64_t hash) {
  if (seen_.empty()) seen_.resize(kSeen);
  return std::exchange(seen_[hash / kSets % kSeen], hash) == hash;
}

// Behind the others that go with this chunk. Where that is in the segment.
Result<std::uint32_t> KnownBlocks::store(std::uint64_t hash, const std::uint8_t* block, std::uint64_t at, int level) {
  if (kept_.empty()) {
    // Not touched before it is used.
    bytes_ = std::make_unique_for_overwrite<std::uint8_t[]>(kSets * kWays * kBlockSize);
    kept_.resize(kSets * kWays);
    context_.reset(ZSTD_createCCtx());
    if (context_ == nullptr) return fail_errno("zstd", ENOMEM);
  }
  const auto set = std::span(kept_).subspan(hash % kSets * kWays, kWays);
  Kept& kept = *std::ranges::min_element(set, {}, &Kept::used);
  const std::uint32_t room = kept.at != 0 ? kept.room : rooms_used_++;
  kept = {hash, ++uses_, static_cast<std::uint32_t>(at + blocks_.size()), room};
  std::memcpy(bytes_of(kept), block, kBlockSize);

  const std::size_t begin = blocks_.size();
  blocks_.resize(begin + sizeof(StoredBlock) + kBlockSize);
  std::uint8_t* const bytes = blocks_.data() + begin + sizeof(StoredBlock);
  StoredBlock stored;
  // What saves less than an eighth is read faster as it is.
  const std::size_t packed =
      ZSTD_compressCCtx(context_.get(), bytes, kBlockSize - kBlockSize / 8, block, kBlockSize, level);
  stored.size = static_cast<std::uint32_t>(ZSTD_isError(packed) != 0 ? kBlockSize : packed);
  if (stored.size == kBlockSize) std::memcpy(bytes, block, kBlockSize);
  stored.hash = XXH3_64bits(bytes, stored.size);
  std::memcpy(blocks_.data() + begin, &stored, sizeof stored);
  blocks_.resize(begin + sizeof stored + stored.size);
  return kept.at;
}

// If the block at `to` of the records is known, or from now on.
Result<void> KnownBlocks::consider(const std::uint8_t* block, std::size_t to, std::uint64_t at, int level) {
  const std::uint64_t hash = XXH3_64bits(block, kBlockSize);
  std::uint32_t place = 0;
  if (Kept* const kept = find(hash, block)) {
    kept->used = ++uses_;
    place = kept->at;
  } else {
    if (!has_been_seen(hash)) return {};
    TMREC_TRY(place, store(hash, block, at, level));
  }
  references_.push_back({place, static_cast<std::uint32_t>(to)});
  return {};
}

Result<KnownBlocks::Parted> KnownBlocks::part(std::span<const std::uint8_t> records, std::uint64_t at, int level) {
  references_.clear();
  blocks_.clear();
  content_.clear();
  for (std::size_t begin = 0; begin < records.size();) {
    TMREC_TRY(const std::size_t size, record_size(records.subspan(begin)));
    extents_.clear();
    find_extents(records.subspan(begin, size), kBlockSize, extents_);
    for (const ExtentPlace& extent : extents_) {
      for (std::size_t done = 0; extent.size - done >= kBlockSize; done += kBlockSize) {
        const std::size_t to = begin + extent.at + done;
        TMREC_CHECKED(consider(records.data() + to, to, at, level));
      }
    }
    begin += size;
  }
  if (references_.empty()) return Parted{0, {}, records};
  append(content_,
         {reinterpret_cast<const std::uint8_t*>(references_.data()), references_.size() * sizeof(BlockReference)});
  std::size_t done = 0;
  for (const BlockReference& reference : references_) {
    append(content_, records.subspan(done, reference.to - done));
    done = reference.to + kBlockSize;
  }
  append(content_, records.subspan(done));
  return Parted{static_cast<std::uint32_t>(references_.size()), blocks_, content_};
}

namespace {

struct FreeContext {
  void operator()(ZSTD_DCtx* c) const { ZSTD_freeDCtx(c); }
};

// Reads blocks that stand by themselves.
class BlockReader {
 public:
  BlockReader(int segment, std::uint64_t end) : segment_(segment), end_(end) {}

  Result<void> read(std::uint64_t at, std::span<std::uint8_t, kBlockSize> to) {
    const auto bad = [&](std::string_view what) {
      return fail(ErrorKind::BadTrace, fmt::format("a block at offset {}: {}", at, what));
    };
    if (at >= end_) return bad("no block can be there yet");
    std::uint8_t both[sizeof(StoredBlock) + kBlockSize];
    const auto n = read_at(segment_, at, std::span(both).first(std::min<std::uint64_t>(sizeof both, end_ - at)));
    if (n < 0) return bad(std::strerror(errno));
    StoredBlock head;
    if (static_cast<std::size_t>(n) < sizeof head) return bad("it is cut off");
    std::memcpy(&head, both, sizeof head);
    const std::uint8_t* const bytes = both + sizeof head;
    if (head.size > static_cast<std::size_t>(n) - sizeof head || head.reserved != 0) return bad("there is no block");
    if (XXH3_64bits(bytes, head.size) != head.hash) return bad("it is damaged");
    if (head.size == kBlockSize) {
      std::memcpy(to.data(), bytes, kBlockSize);
      return {};
    }
    if (context_ == nullptr) context_.reset(ZSTD_createDCtx());
    if (context_ == nullptr) return bad("no memory");
    if (ZSTD_decompressDCtx(context_.get(), to.data(), kBlockSize, bytes, head.size) != kBlockSize)
      return bad("it cannot be decompressed");
    return {};
  }

 private:
  const int segment_;
  const std::uint64_t end_;
  std::unique_ptr<ZSTD_DCtx, FreeContext> context_;
};

}  // namespace

Result<void> join(std::span<const std::uint8_t> content, std::uint32_t references, int segment, std::uint64_t end,
                  std::span<std::uint8_t> records) {
  const auto bad = [] { return fail(ErrorKind::BadTrace, "a chunk's references to blocks make no sense"); };
  const std::uint64_t of_blocks = std::uint64_t{references} * kBlockSize;
  const std::uint64_t of_references = std::uint64_t{references} * sizeof(BlockReference);
  if (of_blocks > records.size() || content.size() != records.size() - of_blocks + of_references) return bad();
  BlockReader blocks(segment, end);
  std::span rest = content.subspan(of_references);
  std::size_t done = 0;
  for (std::size_t i = 0; i < references; ++i) {
    BlockReference reference;
    std::memcpy(&reference, content.data() + i * sizeof reference, sizeof reference);
    if (reference.to < done || reference.to - done > rest.size()) return bad();
    const std::size_t before = reference.to - done;
    if (records.size() - reference.to < kBlockSize) return bad();
    std::ranges::copy(rest.first(before), records.data() + done);
    rest = rest.subspan(before);
    TMREC_CHECKED(blocks.read(reference.at, records.subspan(reference.to).first<kBlockSize>()));
    done = reference.to + kBlockSize;
  }
  if (rest.size() != records.size() - done) return bad();
  std::ranges::copy(rest, records.data() + done);
  return {};
}

}  // namespace tmrec
