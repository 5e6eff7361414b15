// Reading from bytes that may be hostile: every access is checked, and a reader that ran over its end stays failed and
// yields zeros, so a parser checks once at the end of a record instead of after every field.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace tmrec::patch {

using Bytes = std::span<const std::uint8_t>;

// A link-time virtual address of the module (ELF gABI, p_vaddr), before the load bias is added. The whole patcher works
// in these: it never knows where the module is mapped.
using Va = std::uint64_t;

class Reader {
 public:
  explicit Reader(Bytes bytes, std::size_t at = 0) : bytes_(bytes), at_(at), ok_(at <= bytes.size()) {}

  bool ok() const { return ok_; }
  bool at_end() const { return !ok_ || at_ == bytes_.size(); }
  std::size_t position() const { return at_; }
  std::size_t left() const { return ok_ ? bytes_.size() - at_ : 0; }

  void seek(std::size_t at) {
    ok_ = ok_ && at <= bytes_.size();
    if (ok_) at_ = at;
  }
  void skip(std::size_t n) {
    if (n > left()) ok_ = false;
    if (ok_) at_ += n;
  }

  template <class T>
  T get() {
    T value{};
    if (sizeof(T) > left()) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  // LEB128 (DWARF 5, section 7.6). Bits past the 64th are dropped.
  std::uint64_t uleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      auto byte = get<std::uint8_t>();
      if (shift < 64) value |= std::uint64_t(byte & 0x7f) << shift;
      if (!ok_ || !(byte & 0x80)) return value;
    }
  }
  std::int64_t sleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;;) {
      auto byte = get<std::uint8_t>();
      if (shift < 64) value |= std::uint64_t(byte & 0x7f) << shift;
      shift += 7;
      if (!ok_) return 0;
      if (byte & 0x80) continue;
      if (shift < 64 && (byte & 0x40)) value |= ~std::uint64_t{0} << shift;
      return static_cast<std::int64_t>(value);
    }
  }

 private:
  Bytes bytes_;
  std::size_t at_;
  bool ok_;
};

// One bit for each byte of a module's text.
class Bits {
 public:
  explicit Bits(std::size_t size = 0) : words_((size + 63) / 64), size_(size) {}
  std::size_t size() const { return size_; }
  bool test(std::size_t i) const { return i < size_ && (words_[i / 64] >> (i % 64) & 1); }
  void set(std::size_t i) {
    if (i < size_) words_[i / 64] |= std::uint64_t{1} << (i % 64);
  }
  void set_range(std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end && i < size_; ++i) set(i);
  }
  std::size_t count() const {
    std::size_t n = 0;
    for (auto w : words_) n += static_cast<std::size_t>(std::popcount(w));
    return n;
  }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t size_;
};

}  // namespace tmrec::patch
