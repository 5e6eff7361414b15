#include <doctest/doctest.h>

#include <string>

#include "probe.h"

using namespace tmrec::syscalls;
using namespace tmrec::syscalls::test;

namespace {

bool can_write(const Row& r) {
  for (const Arg& a : r.args)
    if (writes(a)) return true;
  for (unsigned i = 0; r.commands && i < r.commands->count; ++i)
    for (const Arg& a : r.commands->list[i].args)
      if (writes(a)) return true;
  return false;
}

// Calls that write memory and that no scenario has seen doing so.
std::string unproved() {
  std::string names;
  for (std::uint32_t nr = 0; nr <= number::kLast; ++nr) {
    const Row& r = row(nr);
    if (r.nr == nr && r.policy != Policy::Refuse && can_write(r) && !Probe::proved().contains(nr))
      names += std::string(" ") + r.name;
  }
  return names;
}

}  // namespace

TEST_CASE("every byte the kernel writes is captured") {
  for (const auto scenarios :
       {file_scenarios(), io_scenarios(), net_scenarios(), process_scenarios(), time_scenarios(), ioctl_scenarios()}) {
    for (const Scenario& s : scenarios) {
      for (const unsigned char pattern : {0xa5, 0x5a}) {
        CAPTURE(std::string(s.name));
        Probe probe(pattern);
        s.run(probe);
      }
    }
  }
  MESSAGE("calls whose writes were proved: " << Probe::proved().size() << "; not here:" << unproved());
  CHECK(Probe::proved().size() >= 100);
}
