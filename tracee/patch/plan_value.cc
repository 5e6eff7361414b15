// A finished plan: look-ups, and its encoded form. The encoding is the arrays as they lie in memory (all of fixed
// layout, little-endian), a header with their lengths before them and xxh3 over everything at the end. The block comes
// first and on a page of its own: tasks map it from the file.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "tracee/patch/block.h"
#include "tracee/patch/emit.h"

namespace tmrec::patch {

namespace {

constexpr std::uint64_t kMagic = 0x6e616c7063726d74;  // "tmrcplan"

// Traces keep plans: this moves only when an older reader would misunderstand one, not with every change of the
// patcher.
constexpr std::uint32_t kEncoding = 2;
constexpr std::uint32_t kUnaligned = 1;  // the header is not padded to a page

struct Header {
  std::uint64_t magic;
  std::uint32_t version;
  PlanOptions options;
  std::uint8_t covers_tsc;  // 0 in plans of older patchers
  std::array<std::uint64_t, 2> content;
  std::uint64_t text_va, text_offset, text_size;
  std::int64_t block_va;
  std::uint64_t code_bytes;
  // Number of elements, in the order of the arrays. Those of bytes are the first (whole pages) and the last, so that
  // the others are aligned.
  std::uint64_t block, edits, sites, stops, places, copies, edit_bytes;
};
static_assert(sizeof(Header) % 8 == 0, "what follows is aligned");
static_assert(std::is_trivially_copyable_v<Header> && sizeof(PlanOptions) == 7);

auto copy_order(const Place& p) { return std::pair(p.program, p.block); }

template <class T>
void append(std::string& out, const Array<T>& values) {
  static_assert(std::has_unique_object_representations_v<T>, "padding would make equal plans differ");
  out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

template <class T>
bool take(Bytes& rest, std::uint64_t count, Array<T>& values) {
  if (count > rest.size() / sizeof(T) || reinterpret_cast<std::uintptr_t>(rest.data()) % alignof(T) != 0) return false;
  values = Array<T>::view({reinterpret_cast<const T*>(rest.data()), count});
  rest = rest.subspan(count * sizeof(T));
  return true;
}

// Everything that the rest of the program relies on without looking again.
bool is_consistent(const Plan& plan) {
  std::uint64_t end = 0;
  for (const Edit& e : plan.edits) {
    if (e.program < end || e.length > plan.text_size || e.program > plan.text_size - e.length) return false;
    if (e.length > plan.edit_bytes.size() || e.bytes > plan.edit_bytes.size() - e.length) return false;
    end = std::uint64_t{e.program} + e.length;
  }
  auto site_fits = [&](const Site& s) {
    return s.program < plan.text_size && (s.stop < plan.stops.size() || s.stop == kNone) &&
           static_cast<std::size_t>(s.kind) < kSiteKinds && static_cast<std::size_t>(s.method) < kMethods &&
           s.length <= plan.text_size - s.program;
  };
  auto stop_fits = [&](const Stop& s) {
    return s.program < plan.text_size && s.resume < plan.block.size() && s.length <= s.resume &&
           static_cast<std::size_t>(s.kind) < kSiteKinds;
  };
  auto place_fits = [&](const Place& p) {
    return p.block < plan.block.size() && p.program <= plan.text_size && p.phase <= Phase::Stub;
  };
  auto copy_fits = [&](const Place& p) { return place_fits(p) && p.phase == Phase::Exact; };
  if (plan.block.size() < kCommonEnd) return false;
  Undo undo;
  std::memcpy(&undo, plan.block.data() + kUndoAt, sizeof undo);
  std::uint64_t original = undo.entries + plan.edits.size() * sizeof(UndoEntry);
  for (const Edit& e : plan.edits) original += e.length;
  if (undo.magic != Undo::kMagic || original != undo.bytes_end || original > plan.block.size()) return false;
  return std::ranges::all_of(plan.sites, site_fits) && std::ranges::all_of(plan.stops, stop_fits) &&
         std::ranges::all_of(plan.places, place_fits) && std::ranges::is_sorted(plan.places, {}, &Place::block) &&
         !plan.places.empty() && plan.places.front().block == 0 && std::ranges::all_of(plan.copies, copy_fits) &&
         std::ranges::is_sorted(plan.copies, {}, copy_order);
}

}  // namespace

std::string_view name_of(SiteKind kind) {
  static constexpr std::string_view names[kSiteKinds] = {
      "backward branch", "indirect jump", "call",   "syscall", "rdtsc", "rdtscp",          "rdpid",  "rdrand",
      "rdseed",          "cpuid",         "xgetbv", "rdpmc",   "rdpru", "store of system", "xbegin", "vsyscall"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view name_of(Method method) {
  static constexpr std::string_view names[kMethods] = {"none", "retarget", "window", "springboard", "trap", "header"};
  return names[static_cast<std::size_t>(method)];
}

const Place& Plan::place_of(std::uint32_t block_offset) const {
  return *std::prev(std::ranges::upper_bound(places, block_offset, {}, &Place::block));
}

std::vector<std::uint32_t> Plan::copies_of(std::uint32_t program_offset) const {
  std::vector<std::uint32_t> found;
  for (auto [place, end] = std::ranges::equal_range(copies, program_offset, {}, &Place::program); place != end;
       ++place) {
    found.push_back(place->block);
  }
  return found;
}

void Plan::index_copies() {
  copies.clear();
  std::ranges::copy_if(places, std::back_inserter(copies), [](const Place& p) { return p.phase == Phase::Exact; });
  std::ranges::sort(copies, {}, copy_order);
}

void Plan::apply(std::span<std::uint8_t> text) const {
  for (const Edit& e : edits) std::copy_n(edit_bytes.data() + e.bytes, e.length, text.data() + e.program);
}

bool Plan::needs_vsyscall_twin() const {
  return std::ranges::any_of(sites,
                             [](const Site& s) { return s.kind == SiteKind::Vsyscall && s.method != Method::None; });
}

Bytes Plan::originals() const {
  Undo undo;
  std::memcpy(&undo, block.data() + kUndoAt, sizeof undo);
  const std::uint64_t begin = undo.entries + edits.size() * sizeof(UndoEntry);
  return Bytes(block).subspan(begin, undo.bytes_end - begin);
}

std::vector<std::uint8_t> Plan::original(std::uint32_t program, std::uint32_t size) const {
  std::vector<std::uint8_t> found;
  const std::uint8_t* from = originals().data();
  for (const Edit& e : edits) {
    if (program >= e.program && program < e.program + e.length) {
      const std::uint32_t count = std::min(size, e.program + e.length - program);
      found.insert(found.end(), from + (program - e.program), from + (program - e.program) + count);
      program += count;
      size -= count;
      if (size == 0) return found;
    }
    from += e.length;
  }
  return {};
}

std::string Plan::encode() const {
  Header header{};
  header.magic = kMagic;
  header.version = kEncoding;
  header.options = options;
  header.content = content;
  header.text_va = text_va;
  header.text_offset = text_offset;
  header.text_size = text_size;
  header.block_va = block_va;
  header.code_bytes = code_bytes;
  header.covers_tsc = covers_tsc ? 1 : 0;
  header.block = block.size();
  header.edits = edits.size();
  header.edit_bytes = edit_bytes.size();
  header.sites = sites.size();
  header.stops = stops.size();
  header.places = places.size();
  header.copies = copies.size();
  std::string out(reinterpret_cast<const char*>(&header), sizeof(header));
  out.resize(kBlockInFile);
  append(out, block);
  append(out, edits);
  append(out, sites);
  append(out, stops);
  append(out, places);
  append(out, copies);
  append(out, edit_bytes);
  std::uint64_t sum = XXH3_64bits(out.data(), out.size());
  out.append(reinterpret_cast<const char*>(&sum), sizeof(sum));
  return out;
}

Result<Plan> Plan::decode(Bytes bytes) {
  auto own = std::make_shared<const std::vector<std::uint8_t>>(bytes.begin(), bytes.end());
  return view(*own, own);
}

namespace {

// Both in one pass: a state of XXH3's streaming functions yields hashes of 64 and of 128 bits.
std::uint64_t sum_of(Bytes bytes, Bytes tail, std::array<std::uint64_t, 2>* whole) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  XXH3_128bits_update(&state, bytes.data(), bytes.size());
  const std::uint64_t sum = XXH3_64bits_digest(&state);
  XXH3_128bits_update(&state, tail.data(), tail.size());
  const XXH128_hash_t all = XXH3_128bits_digest(&state);
  if (whole) *whole = {all.low64, all.high64};
  return sum;
}

}  // namespace

Result<Plan> Plan::view(Bytes bytes, std::shared_ptr<const void> owner, std::array<std::uint64_t, 2>* whole) {
  auto bad = [] { return fail(ErrorKind::System, "damaged patch plan"); };
  std::uint64_t sum = 0;
  if (bytes.size() < sizeof(Header) + sizeof(sum)) return bad();
  Bytes rest = bytes.first(bytes.size() - sizeof(sum));
  std::memcpy(&sum, rest.data() + rest.size(), sizeof(sum));
  auto header = Reader(bytes).get<Header>();
  if (header.magic != kMagic) return fail(ErrorKind::System, "not a patch plan");
  if (header.version != kEncoding && header.version != kUnaligned) {
    return fail(ErrorKind::System, "a patch plan of another version");
  }
  if (sum != sum_of(rest, bytes.last(sizeof(sum)), whole)) return bad();
  const std::uint64_t begin = header.version == kUnaligned ? sizeof(header) : kBlockInFile;
  if (rest.size() < begin) return bad();
  rest = rest.subspan(begin);

  Plan plan;
  plan.block_in_file = header.version == kUnaligned ? 0 : kBlockInFile;
  plan.options = header.options;
  plan.content = header.content;
  plan.text_va = header.text_va;
  plan.text_offset = header.text_offset;
  plan.text_size = static_cast<std::uint32_t>(header.text_size);
  plan.block_va = header.block_va;
  plan.code_bytes = header.code_bytes;
  plan.covers_tsc = header.covers_tsc == 1;
  bool complete = take(rest, header.block, plan.block) && take(rest, header.edits, plan.edits) &&
                  take(rest, header.sites, plan.sites) && take(rest, header.stops, plan.stops) &&
                  take(rest, header.places, plan.places) && take(rest, header.copies, plan.copies) &&
                  take(rest, header.edit_bytes, plan.edit_bytes) && rest.empty();
  if (!complete || !is_consistent(plan)) return bad();
  plan.memory = std::move(owner);
  return plan;
}

}  // namespace tmrec::patch
