"""--at-end shows the crash at once, with threads; without it, the program is at its first instruction, and runs into its
crash again and again."""

from debugging import compiled, gdb, recorded, run_scenarios, scenario

PROGRAM = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>
static int* nothing;
static int depth(int n) { return n == 0 ? *nothing : depth(n - 1) + 1; }
static void* work(void* arg) { usleep(1000); return (void*)(long)depth(5); }
static void* idle(void* arg) { pause(); return arg; }
int main(void) {
  pthread_t a, b;
  pthread_setname_np(pthread_self(), "the-leader");
  pthread_create(&a, 0, idle, 0);
  pthread_create(&b, 0, work, 0);
  pthread_join(b, 0);
}
"""

trace = recorded(compiled(PROGRAM), status=139)


@scenario
def at_the_end_the_crash_is_shown():
    gdb(trace, "bt", "info threads", "print $_siginfo.si_signo", "print $_siginfo._sifields._sigfault.si_addr",
        options=["--at-end"]).expect(
            r"#0 .*depth \(n=0\)", r"#5 .*depth \(n=5\)", r"#6 .*work", r"#8 .*clone3",
            r"the-leader", r"in (pause|futex)", r"\$1 = 11", r"\$2 = \(void \*\) 0x0")


@scenario
def from_the_beginning_into_the_crash_again_and_again():
    gdb(trace, "info registers rip", "continue", "bt 1", "reverse-continue", "continue", "bt 1", "continue").expect(
        r"rip .*<_start>", r"SIGSEGV", r"#0 .*depth \(n=0\)", r"No more reverse-execution history", r"_start",
        r"SIGSEGV", r"#0 .*depth \(n=0\)", r"No more reverse-execution history")


run_scenarios()
