// Which calls must be counted so that no recursion goes on without a tick.
//
// Problem: a large program's functions nearly all call each other in the end, by way of what they do when memory runs
// out or an error is to be told of. Whatever closes cycles there includes calls of its smallest functions, which are
// made everywhere, unless it is chosen with care.
// Solution: within each strongly connected component, the functions are put in an order in which few and cold calls
// lead back (Eades, Lin and Smyth, "A fast and effective heuristic for the feedback arc set problem", 1993): who calls
// more than it is called goes to the front. What is called from everywhere comes last, and the few calls that it makes
// itself are counted. Rejected: edges to what a depth-first search has not left yet, which are as many calls again.
#pragma once

#include <cstdint>
#include <vector>

namespace tmrec::patch {

struct CallEdge {
  std::uint32_t from, to;
  std::uint32_t weight;  // how often it is executed, as far as one can tell
  std::size_t index;     // of the instruction
};

// Edges between `units` functions, sorted by `from`. Returns the instructions of those to be counted.
std::vector<std::size_t> closing_calls(const std::vector<CallEdge>& edges, std::size_t units);

// What can be reached from the functions in `waiting`, these included. Edges sorted by `from`.
std::vector<bool> reached_from(std::vector<std::uint32_t> waiting, const std::vector<CallEdge>& edges,
                               std::size_t units);

}  // namespace tmrec::patch
