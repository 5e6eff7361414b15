// A SIGSEGV handler that throws: the exception leaves through the signal frame from the faulting instruction in a loop.
#pragma GCC optimize("-fnon-call-exceptions")
#include <stdexcept>

#include "guest.h"

namespace {

struct Fault {
  void* address;
};

void on_fault(int, siginfo_t* info, void*) { throw Fault{info->si_addr}; }

__attribute__((noinline)) uint64_t sum_until_fault(const volatile uint64_t* p, uint64_t n) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) sum = sum * 3 + p[i];
  return sum;
}

__attribute__((noinline)) int find(const volatile char* p, char wanted) {
  int at = 0;
  try {
    while (p[at] != wanted) at++;
  } catch (const Fault& fault) {
    CHECK(fault.address == p + at);
    return -at;
  }
  return at;
}

__attribute__((noinline)) int divide(int a, volatile int* b) {
  int sum = 0;
  try {
    for (int i = 0; i < 100; i++) sum += a / b[i];
  } catch (const Fault&) {
    return -sum;
  }
  return sum;
}

}  // namespace

int main() {
  char* area = static_cast<char*>(mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK(area != MAP_FAILED);
  SYS(mprotect(area + 2 * 4096, 4096, PROT_NONE));
  struct sigaction action = {};
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  action.sa_sigaction = on_fault;
  SYS(sigaction(SIGSEGV, &action, nullptr));
  SYS(sigaction(SIGFPE, &action, nullptr));
  int caught = 0;
  for (int i = 0; i < 50; i++) {
    try {
      sum_until_fault(reinterpret_cast<uint64_t*>(area) + i, 4096);
    } catch (const Fault& fault) {
      CHECK(fault.address == area + 2 * 4096);
      caught++;
    }
    CHECK(find(area + 4096 + i, 1) == -(4096 - i));
  }
  CHECK(caught == 50);
  static int divisors[100];
  for (int i = 0; i < 100; i++) divisors[i] = 90 - i;
  CHECK(divide(1000, divisors) < 0);
  return success();
}
