// cereal archives over memory, for codec.cc alone: packed little-endian numbers, sizes as 64 bits.
//
// Problem: cereal's own binary archives read from an istream and trust every size they find (a vector of 2^60 elements
// is allocated before its first byte is missed), and its enumerations and bools take any bit pattern. Solution:
// archives of our own, and our own functions for containers: sizes of byte strings are compared with what is left of
// the input first, lists grow as their elements are really read, bools and enumerators are range-checked. Rejected:
// limiting the total size of the input: a 1 KiB record could still ask for gigabytes.
#pragma once

#include <bit>
#include <cereal/cereal.hpp>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "format/event.h"

namespace tmrec::wire {

static_assert(std::endian::native == std::endian::little,
              "the trace is little-endian and written as it lies in memory");

class Output : public cereal::OutputArchive<Output, cereal::AllowEmptyClassElision> {
 public:
  explicit Output(Bytes& out) : OutputArchive(this), out_(out) {}

  void raw(const void* data, std::size_t size) {
    const auto* p = static_cast<const std::uint8_t*>(data);
    out_.insert(out_.end(), p, p + size);
  }

 private:
  Bytes& out_;
};

class Input : public cereal::InputArchive<Input, cereal::AllowEmptyClassElision> {
 public:
  explicit Input(std::span<const std::uint8_t> in) : InputArchive(this), in_(in) {}

  std::size_t left() const { return in_.size(); }

  void raw(void* data, std::size_t size) {
    if (size > in_.size()) throw cereal::Exception("ends too early");
    if (size != 0) std::memcpy(data, in_.data(), size);
    in_ = in_.subspan(size);
  }

  // A count of things of which each takes at least one byte.
  std::size_t count() {
    std::uint64_t n = 0;
    raw(&n, sizeof n);
    if (n > in_.size()) throw cereal::Exception("a length is larger than what follows");
    return n;
  }

 private:
  std::span<const std::uint8_t> in_;
};

template <class T>
concept Number = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;

template <Number T>
void save(Output& ar, const T& v) {
  ar.raw(&v, sizeof v);
}
template <Number T>
void load(Input& ar, T& v) {
  ar.raw(&v, sizeof v);
}

template <std::same_as<bool> T>
void save(Output& ar, const T& v) {
  const std::uint8_t byte = v ? 1 : 0;
  ar.raw(&byte, 1);
}
template <std::same_as<bool> T>
void load(Input& ar, T& v) {
  std::uint8_t byte = 0;
  ar.raw(&byte, 1);
  if (byte > 1) throw cereal::Exception("a flag is neither 0 nor 1");
  v = byte == 1;
}

// An enumerator between 0 and `last`.
template <class E>
struct Enumerator {
  E& value;
  E last;
};
template <class E>
Enumerator(E&, std::remove_const_t<E>) -> Enumerator<E>;

template <class E>
void save(Output& ar, const Enumerator<E>& e) {
  save(ar, static_cast<std::underlying_type_t<E>>(e.value));
}
template <class E>
void load(Input& ar, Enumerator<E>& e) {
  std::underlying_type_t<E> v{};
  load(ar, v);
  if (v > static_cast<std::underlying_type_t<E>>(e.last)) throw cereal::Exception("an enumerator is out of range");
  e.value = static_cast<E>(v);
}

inline void save(Output& ar, const Bytes& v) {
  save(ar, std::uint64_t{v.size()});
  ar.raw(v.data(), v.size());
}
inline void load(Input& ar, Bytes& v) {
  v.resize(ar.count());
  ar.raw(v.data(), v.size());
}
inline void save(Output& ar, const std::string& v) {
  save(ar, std::uint64_t{v.size()});
  ar.raw(v.data(), v.size());
}
inline void load(Input& ar, std::string& v) {
  v.resize(ar.count());
  ar.raw(v.data(), v.size());
}

template <class T>
void save(Output& ar, const std::vector<T>& list) {
  save(ar, std::uint64_t{list.size()});
  for (const T& element : list) ar(element);
}
template <class T>
void load(Input& ar, std::vector<T>& list) {
  const std::size_t n = ar.count();
  list.clear();
  for (std::size_t i = 0; i < n; ++i) ar(list.emplace_back());
}

template <class T>
void save(Output& ar, const std::optional<T>& v) {
  save(ar, v.has_value());
  if (v) ar(*v);
}
template <class T>
void load(Input& ar, std::optional<T>& v) {
  bool present = false;
  load(ar, present);
  v.reset();
  if (present) ar(v.emplace());
}

}  // namespace tmrec::wire
