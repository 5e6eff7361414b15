#include "cli/trace_facts.h"

#include <doctest/doctest.h>

namespace tmrec::cli {

TEST_CASE("commands are shown as a shell would take them") {
  CHECK(shown_command({"ls", "-l", "/tmp/a.b"}) == "ls -l /tmp/a.b");
  CHECK(shown_command({"sh", "-c", "echo hi", ""}) == "sh -c 'echo hi' ''");
  CHECK(shown_command({"it's"}) == "'it'\\''s'");
  CHECK(shown_command({"a\x1b[2J'b\\"}) == "$'a\\x1b[2J\\'b\\\\'");
  CHECK(shown_command({}).empty());
}

TEST_CASE("a trace of this machine raises no doubts here") {
  Manifest manifest;
  manifest.cpu = current_cpu();
  CHECK(doubts_here(manifest).empty());
}

TEST_CASE("instructions, register state and vendor that are missing here are doubts") {
  Manifest manifest;
  manifest.cpu = current_cpu();
  manifest.cpu.features.push_back("xop");
  manifest.cpu.features.push_back("fma4");
  manifest.cpu.features.push_back("tbm");  // no CPU made has these and amx_tile
  manifest.cpu.features.push_back("amx_tile");
  manifest.cpu.xcr0 |= 1ull << 62;
  manifest.cpu.vendor = "Elsewhere";
  const std::vector<std::string> doubts = doubts_here(manifest);
  REQUIRE(doubts.size() == 3);
  CHECK(doubts[0].find("lacks instructions") != std::string::npos);
  CHECK(doubts[1].find("XCR0") != std::string::npos);
  CHECK(doubts[2].find("Elsewhere") != std::string::npos);
}

}  // namespace tmrec::cli
