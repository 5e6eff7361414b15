// Functions as control flow knows them.
#pragma once

#include <vector>

#include "tracee/patch/code_map.h"

namespace tmrec::patch {

// Index of the function that holds this offset; the number of functions: none does.
std::uint32_t function_at(const CodeMap& code, std::uint32_t at);

// Where control comes to from here, if only padding is passed: the function behind it, else here. Compilers that know
// of a switch that none of its cases is left let the way out lead behind the function's end.
std::uint32_t behind_padding(const CodeMap& code, std::uint32_t at);

// Functions with the pieces that compilers split off: whatever jumps into the middle of another, or runs into it,
// belongs to it.
class Units {
 public:
  explicit Units(const CodeMap& code);

  std::size_t size() const { return joined_.size(); }
  // Of the code at this offset. All code outside of functions is one.
  std::uint32_t of(std::uint32_t at) { return root(function_at(code_, at)); }
  // By function.
  std::vector<std::uint32_t> all();

 private:
  void join(std::uint32_t a, std::uint32_t b) {
    if (a != b) joined_[root(a)] = root(b);
  }
  std::uint32_t root(std::uint32_t unit) {
    while (joined_[unit] != unit) unit = joined_[unit] = joined_[joined_[unit]];
    return unit;
  }

  const CodeMap& code_;
  std::vector<std::uint32_t> joined_;
};

}  // namespace tmrec::patch
