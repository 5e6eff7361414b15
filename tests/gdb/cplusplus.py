"""An exception through patched code, stopped at where it is thrown and caught; a stack overflow; recursion."""

from debugging import compiled, gdb, recorded, run_scenarios, scenario

PROGRAM = r"""
#include <stdexcept>
#include <string>
#include <vector>
static int deep(int n) { if (n == 0) throw std::runtime_error("too deep"); std::string keeps(20, 'x'); return deep(n - 1) + keeps.size(); }
static int caught;
static int overflow(int n) { volatile char buffer[1000]; buffer[0] = n; return overflow(n + 1) + buffer[0]; }
int main() {
  for (int i = 0; i < 5; i++) {
    try { deep(i); } catch (const std::exception& e) { caught += i; }
  }
  return overflow(0);
}
"""
trace = recorded(compiled(PROGRAM, language="c++"), status=139)


@scenario
def exceptions_through_patched_code():
    gdb(trace, "catch throw", "continue", "continue", "continue", "bt", "catch catch", "continue", "print caught", "reverse-continue",
        "bt 4", "delete", "continue", "bt -3", "watch caught", "reverse-continue", "reverse-continue", "print caught").expect(
            "exception thrown", "exception thrown", "exception thrown", r"deep \(n=0\)", r"deep \(n=1\)", r"deep \(n=2\)", "main",
            "exception caught", r"\$1 = 1", "exception thrown", r"deep \(n=0\)", "SIGSEGV", r"overflow \(n=0\)", "main",
            "New value = 6", "New value = 3", r"\$2 = 3")


run_scenarios()
