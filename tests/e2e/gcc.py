"""gcc: preprocessor, compiler, assembler and linker under one driver; then the program it made."""

from recording import file, need, record_and_replay

gcc = need("gcc")
file("program.c", """
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int main(int argc, char** argv) { printf("fib %d at %ld %s\\n", fib(15), (long)time(0), argc > 1 ? argv[1] : ""); return 3; }
""")
record_and_replay([gcc, "-O2", "-g", "-Wall", "-o", "program", "program.c"])
record_and_replay(["./program", "argument"], ["fib 610"], status=3)
record_and_replay([gcc, "-pipe", "-S", "-o", "-", "program.c"], ["main:"])
record_and_replay([gcc, "-c", "missing.c"], status=1)
file("plus.cc", "#include <iostream>\n#include <map>\nint main() { std::map<int, int> m{{1, 2}}; std::cout << m[1] << '\\n'; }\n")
record_and_replay([need("g++"), "-O1", "-o", "plus", "plus.cc"], seconds=200)
record_and_replay(["./plus"], ["2\n"])
