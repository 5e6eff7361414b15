#include "tests/fuzz/mutate.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace tmrec::fuzz {

std::uint64_t Random::next() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

std::size_t Random::below(std::size_t limit) { return limit == 0 ? 0 : next() % limit; }

namespace {

using Offset = std::ptrdiff_t;

void flip_bit(Bytes& b, Random& r) { b[r.below(b.size())] ^= static_cast<std::uint8_t>(1u << r.below(8)); }

void set_byte(Bytes& b, Random& r) { b[r.below(b.size())] = static_cast<std::uint8_t>(r.next()); }

// Numbers around which lengths and offsets go wrong.
void set_number(Bytes& b, Random& r) {
  constexpr std::array<std::uint64_t, 12> kNumbers = {
      0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, 0x40000000, 1ull << 62, INT64_MAX, UINT64_MAX};
  const std::uint64_t number = kNumbers[r.below(kNumbers.size())] + r.below(3) - 1;
  const std::size_t width = std::min(std::size_t{1} << r.below(4), b.size());
  std::size_t at = r.below(b.size() - width + 1);
  if (r.below(2) == 0) at -= at % width;
  std::memcpy(b.data() + at, &number, width);
}

void cut(Bytes& b, Random& r) { b.resize(r.below(b.size())); }

void remove_range(Bytes& b, Random& r) {
  const std::size_t at = r.below(b.size()), n = r.below(std::min<std::size_t>(b.size() - at, 64)) + 1;
  b.erase(b.begin() + static_cast<Offset>(at), b.begin() + static_cast<Offset>(at + n));
}

void repeat_range(Bytes& b, Random& r) {
  const std::size_t at = r.below(b.size()), n = r.below(std::min<std::size_t>(b.size() - at, 64)) + 1;
  const Bytes copy(b.begin() + static_cast<Offset>(at), b.begin() + static_cast<Offset>(at + n));
  b.insert(b.begin() + static_cast<Offset>(r.below(b.size())), copy.begin(), copy.end());
}

void zero_range(Bytes& b, Random& r) {
  const std::size_t at = r.below(b.size());
  std::fill_n(b.begin() + static_cast<Offset>(at), r.below(b.size() - at) + 1, 0);
}

}  // namespace

Bytes mutated(const std::vector<Bytes>& seeds, Random& random) {
  constexpr std::array kDamages = {flip_bit, set_byte,     set_number,   set_number,
                                   cut,      remove_range, repeat_range, zero_range};
  Bytes bytes = seeds[random.below(seeds.size())];
  // Headers are small and everything hangs on them: half of the damage goes to the first 256 bytes.
  for (std::size_t n = random.below(4) + 1; n > 0 && !bytes.empty(); --n) {
    const auto damage = kDamages[random.below(kDamages.size())];
    if (random.below(2) == 0 && bytes.size() > 256) {
      Bytes head(bytes.begin(), bytes.begin() + 256);
      damage(head, random);
      head.insert(head.end(), bytes.begin() + 256, bytes.end());
      bytes = std::move(head);
    } else {
      damage(bytes, random);
    }
  }
  return bytes;
}

}  // namespace tmrec::fuzz
