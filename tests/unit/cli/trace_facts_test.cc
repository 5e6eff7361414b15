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

}  // namespace tmrec::cli
