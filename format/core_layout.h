// What the writer and the reader of core files share: the note of tmrec, and what a sound snapshot is.
#pragma once

#include <elf.h>

#include <algorithm>
#include <cstdint>

#include "format/snapshot.h"

namespace tmrec::core {

inline constexpr char kOwner[] = "TMREC";
inline constexpr std::uint32_t kSnapshotNote = 1;  // type of the note

// The descriptor of the note: this, then encode_snapshot_note().
struct NoteHead {
  std::uint32_t version = 1;
  std::uint32_t reserved = 0;
  std::uint64_t hash = 0;  // XXH3-64 of the whole file with this field zero
};

inline std::uint64_t align4(std::uint64_t n) { return (n + 3) & ~std::uint64_t{3}; }

inline bool page_aligned(std::uint64_t a) { return a % kPageSize == 0; }

// Null, or what is wrong with the mappings.
inline const char* fault_of(const std::vector<Mapping>& mappings) {
  RemoteAddr last;
  for (const Mapping& m : mappings) {
    if (!page_aligned(m.start.value) || !page_aligned(m.end.value)) return "a mapping is not page aligned";
    if (m.start >= m.end) return "a mapping is empty";
    if (m.start < last) return "mappings overlap or are out of order";
    last = m.end;
  }
  return nullptr;
}

// The mapping that contains [start, end), or null. Mappings as fault_of() accepts them.
inline const Mapping* mapping_of(const std::vector<Mapping>& mappings, RemoteAddr start, RemoteAddr end) {
  const auto after = std::ranges::upper_bound(mappings, start, {}, &Mapping::start);
  if (after == mappings.begin()) return nullptr;
  const Mapping& m = *std::prev(after);
  return start <= end && end <= m.end ? &m : nullptr;
}

}  // namespace tmrec::core
