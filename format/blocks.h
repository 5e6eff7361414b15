// Memory that a segment of the log holds already: referred to, not written again.
//
// Problem: databases read the same pages all the time, and what a recorded call read is in the log. Compressing and
// writing it again each time takes ten times as long as reading it did. Solution: what calls read and write is looked
// at in blocks of 4 KiB. One that comes for the second time is written by itself, where it can be read without anything
// else, and from then on it is referred to by its place in the segment. One that comes once is compressed with all that
// is around it, as ever. The writer remembers hashes of the blocks it has seen, and those written by themselves as they
// are, to compare with: a bounded number of each, the least recently used are given up. Readers keep nothing.
// Rejected: to refer to what stands in an earlier chunk (each reader would keep megabytes of it, or decompress it again
// for each block); a file of blocks next to the log (what is dropped with the first segments would have to be found
// there); one zstd window over many chunks (as slow as compressing).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <zstd.h>

#include "format/calls.h"
#include "format/event.h"
#include "format/result.h"

namespace tmrec {

inline constexpr std::size_t kBlockSize = 4096;

// In a segment, followed by `size` bytes: a block as it is, if that is kBlockSize, otherwise a zstd frame of one.
struct StoredBlock {
  std::uint32_t size = 0;
  std::uint32_t reserved = 0;
  std::uint64_t hash = 0;  // XXH3-64 of the bytes
};
static_assert(sizeof(StoredBlock) == 16);

struct BlockReference {
  std::uint32_t at = 0;  // offset of the StoredBlock in the segment
  std::uint32_t to = 0;  // of the block in the chunk's records
};
static_assert(sizeof(BlockReference) == 8);

// The writer's side, for one thread. Takes up to 33 MiB, as blocks come again.
class KnownBlocks {
 public:
  KnownBlocks();
  ~KnownBlocks();
  KnownBlocks(const KnownBlocks&) = delete;
  KnownBlocks& operator=(const KnownBlocks&) = delete;

  // A segment begins: nothing stands in it.
  void begin_segment();

  // A chunk's records, parted; valid until the next time.
  struct Parted {
    std::uint32_t references = 0;
    std::span<const std::uint8_t> blocks;   // StoredBlocks, to be written at `at`
    std::span<const std::uint8_t> content;  // so many BlockReferences, in order, and the records without those blocks
  };
  // `records`: what codec.h and calls.h have encoded. `at`: offset in the segment. `level`: zstd's.
  Result<Parted> part(std::span<const std::uint8_t> records, std::uint64_t at, int level);

 private:
  struct Kept;
  Kept* find(std::uint64_t hash, const std::uint8_t* block);
  bool has_been_seen(std::uint64_t hash);
  Result<std::uint32_t> store(std::uint64_t hash, const std::uint8_t* block, std::uint64_t at, int level);
  Result<void> consider(const std::uint8_t* block, std::size_t to, std::uint64_t at, int level);
  std::uint8_t* bytes_of(const Kept& kept) const;

  struct FreeContext {
    void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
  };
  std::unique_ptr<ZSTD_CCtx, FreeContext> context_;
  std::vector<std::uint64_t> seen_;  // hashes, each where it belongs
  std::vector<Kept> kept_;           // sets of kWays
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::uint32_t rooms_used_ = 0;  // of bytes_
  std::uint64_t uses_ = 0;
  std::vector<ExtentPlace> extents_;
  std::vector<BlockReference> references_;
  Bytes blocks_, content_;
};

// The reader's: the records of a chunk. `content`: as above. `segment`: a descriptor; references lead to places before
// `end` there. `records` has the size that they had. Errors are BadTrace, without a place.
Result<void> join(std::span<const std::uint8_t> content, std::uint32_t references, int segment, std::uint64_t end,
                  std::span<std::uint8_t> records);

}  // namespace tmrec
