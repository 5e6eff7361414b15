// Which direct branches and calls must be counted so that no cycle of control flow goes on without a tick.
//
// Problem: "every branch and call that leads backwards" is enough, and several times too much. Compilers place blocks
// and functions in all orders: most backward calls are a function's calls of what was defined before it, and many
// backward branches lead to shared ends of functions. A tick costs as much as a dozen instructions.
// Solution: what lies on no cycle is not counted. Branches: of those that lead backwards, the ones whose target leads
// back to them without another counted branch. Calls: the graph of calls and tail calls is searched depth first, and
// edges to functions that are still being searched are the ones that close its cycles.
// Indirect jumps are counted, so nothing is known to follow them. A function with one that can't be is left to the
// simple rule: all that leads backwards is counted. Calls through pointers are counted, too. Calls of the module's own
// functions by name are calls like any other. Those of other modules are counted where they may come back by name: in
// functions that other modules can reach by name, unless it is the C or C++ runtime that is called, which comes back
// through pointers. Rejected: the least number of counted edges (NP-hard, and the fewest are not the coldest); counting
// where a module is entered, which its own calls do as well.
#pragma once

#include <unordered_map>
#include <vector>

#include "tracee/patch/code_map.h"

namespace tmrec::patch {

// Where code goes by way of a slot that the linker fills in: offsets of functions of this module, kElsewhere for
// others, kRuntime for those of the C and C++ runtime.
struct Bindings {
  static constexpr std::uint32_t kElsewhere = 0xffffffff, kRuntime = 0xfffffffe;
  std::unordered_map<std::uint32_t, std::uint32_t> stubs;  // by the offset of code that does nothing else (PLT)
  std::unordered_map<std::uint32_t, std::uint32_t> uses;   // by the offset of a call or jump of a function's own
  std::vector<std::uint32_t> exported;                     // offsets of what other modules find by name
};

class Cycles {
 public:
  // `stubborn`: indices of indirect jumps that can't be counted.
  Cycles(const CodeMap& code, const Bindings& bindings, const std::vector<std::size_t>& stubborn);

  // The branch or call at this index of code.insns(), direct or through a linker's slot, closes a cycle.
  bool closed_by(std::size_t index) const { return closing_.test(index); }

  // Offsets of all instructions at which control can enter the function that the instruction at this index belongs to,
  // but for returns. Empty: it belongs to none.
  std::vector<std::uint32_t> entries_of(std::size_t index) const;

 private:
  void find_loops();
  void find_recursion(const Bindings& bindings, const std::vector<std::size_t>& stubborn);

  const CodeMap& code_;
  Bits closing_;
  std::vector<std::uint32_t> units_;  // by function of the code map; the last: what is in none
};

}  // namespace tmrec::patch
