#include <doctest/doctest.h>

#include "probe.h"

using namespace tmrec::syscalls::test;

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
  MESSAGE("calls whose writes were proved: " << Probe::proved().size());
  CHECK(Probe::proved().size() >= 100);
}
