// Which direct branches and calls must be counted so that no cycle of control flow goes on without a tick.
//
// Problem: "every branch and call that leads backwards" is enough, and several times too much. Compilers place blocks
// and functions in all orders: most backward calls are a function's calls of what was defined before it, and many
// backward branches lead to shared ends of functions. A tick costs as much as a dozen instructions.
// Solution: what lies on no cycle is not counted, and no cycle twice where that can be helped. Calls first: those that
// close the cycles of the graph of calls and tail calls (call_graph.h). Then branches: of those that lead backwards,
// the ones whose target leads back to them without another counted branch, and without a counted call. The way past a
// switch (the check in front of a jump by a table, which is counted) is rarely taken: it is counted instead of all the
// branches that lead back to the switch, where that is enough. Indirect jumps are counted, so nothing is known to
// follow them. A function with one that can't be is left to the simple rule: all that leads backwards is counted. Calls
// through pointers are counted, too, if not each where it stands (there is no room in front of all). Calls of the
// module's own functions by name are calls like any other. Those of other modules are counted where they may come back
// by name: in functions that other modules can reach by name, unless it is the C or C++ runtime that is called, which
// comes back through pointers. Rejected: the least number of counted edges (NP-hard, and the fewest are not the
// coldest); counting where a module is entered, which its own calls do as well.
#pragma once

#include <unordered_map>
#include <vector>

#include "tracee/patch/code_map.h"
#include "tracee/patch/components.h"

namespace tmrec::patch {

// Where code goes by way of a slot that the linker fills in: offsets of functions of this module, kElsewhere for
// others, kRuntime for those of the C and C++ runtime.
struct Bindings {
  static constexpr std::uint32_t kElsewhere = 0xffffffff, kRuntime = 0xfffffffe;
  std::unordered_map<std::uint32_t, std::uint32_t> stubs;  // by the offset of code that does nothing else (PLT)
  std::unordered_map<std::uint32_t, std::uint32_t> uses;   // by the offset of a call or jump of a function's own
  std::vector<std::uint32_t> exported;                     // offsets of what other modules find by name
};

// What is known of indirect jumps and calls already: indices of instructions, in order.
struct Decided {
  std::vector<std::size_t> stubborn;  // jumps that can't be counted
  std::vector<std::size_t> calls;     // through pointers: counted whenever control comes to them
  bool count_calls = true;            // calls that close cycles will be
};

class Cycles {
 public:
  Cycles(const CodeMap& code, const Bindings& bindings, const Decided& decided);

  // The branch or call at this index of code.insns(), direct or through a linker's slot, closes a cycle.
  bool closed_by(std::size_t index) const { return closing_.test(index); }

  // Offsets of all instructions at which control can enter the function that the instruction at this index belongs to,
  // but for returns. Empty: it belongs to none.
  std::vector<std::uint32_t> entries_of(std::size_t index) const;

 private:
  class Blocks;
  void find_recursion(const Bindings& bindings, const Decided& decided, const Bits& in_loop);
  void find_loops(Blocks& blocks, const Components<Blocks>& components, const Decided& decided);
  bool guards_switch(const Blocks& blocks, std::uint32_t block, const std::vector<std::size_t>& stubborn) const;

  const CodeMap& code_;
  Bits closing_;
  std::vector<std::uint32_t> units_;  // by function of the code map; the last: what is in none
};

}  // namespace tmrec::patch
