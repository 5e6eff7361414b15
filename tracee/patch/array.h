// The elements of a part of a plan: its own while the plan is being made, or a view of the bytes it was read from.
//
// Reading a plan must cost next to nothing: those of python3's modules are 15 MB, and filling as much fresh memory
// takes 5 ms, five times as long as verifying them. Rejected: a plan type for each (everything that looks at plans
// would be written twice).
#pragma once

#include <span>
#include <vector>

namespace tmrec::patch {

// Whoever makes a view keeps what it shows. Anything that could change an element makes the elements its own first.
template <class T>
class Array {
 public:
  using value_type = T;

  Array() = default;
  static Array view(std::span<const T> elements) {
    Array array;
    array.view_ = elements;
    array.is_view_ = true;
    return array;
  }

  std::size_t size() const { return is_view_ ? view_.size() : own_.size(); }
  bool empty() const { return size() == 0; }
  const T* data() const { return is_view_ ? view_.data() : own_.data(); }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size(); }
  const T& operator[](std::size_t i) const { return data()[i]; }
  const T& front() const { return *begin(); }
  const T& back() const { return *(end() - 1); }

  T* data() { return own().data(); }
  T* begin() { return data(); }
  T* end() { return data() + size(); }
  T& operator[](std::size_t i) { return data()[i]; }
  T& front() { return *begin(); }
  T& back() { return *(end() - 1); }
  void push_back(const T& element) { own().push_back(element); }
  void resize(std::size_t size, const T& element = {}) { own().resize(size, element); }
  void assign(std::size_t size, const T& element) { own().assign(size, element); }
  void insert(const T* at, const T* first, const T* last) {
    const auto index = at - data();
    own().insert(own_.begin() + index, first, last);
  }
  void clear() { own().clear(); }

 private:
  std::vector<T>& own() {
    if (is_view_) own_.assign(view_.begin(), view_.end());
    is_view_ = false;
    return own_;
  }

  std::vector<T> own_;
  std::span<const T> view_;
  bool is_view_ = false;
};

}  // namespace tmrec::patch
