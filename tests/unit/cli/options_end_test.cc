#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cli/command.h"

namespace tmrec::cli {
namespace {

// The words from options_end on.
std::vector<std::string> rest(const std::vector<std::string>& arguments) {
  CLI::App app;
  bool quiet = false;
  std::string level, output;
  int number = 0;
  app.add_flag("-q,--quiet", quiet);
  app.add_option("--log-level", level);
  CLI::App* const record = app.add_subcommand("record");
  record->add_option("-o,--output", output);
  record->add_option("--check", number);
  const std::size_t end = options_end(*record, arguments, 0);
  return {arguments.begin() + static_cast<std::ptrdiff_t>(end), arguments.end()};
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("options end at the first word that is none") {
  CHECK(rest({"ls", "-o", "x"}) == Texts{"ls", "-o", "x"});
  CHECK(rest({"-q", "ls", "-l"}) == Texts{"ls", "-l"});
  CHECK(rest({"-q", "--", "-odd"}) == Texts{"--", "-odd"});
  CHECK(rest({"-"}) == Texts{"-"});
  CHECK(rest({"", "x"}) == Texts{"", "x"});
  CHECK(rest({"-q"}).empty());
}

TEST_CASE("an option's value is not the program") {
  CHECK(rest({"-o", "dir", "ls"}) == Texts{"ls"});
  CHECK(rest({"-odir", "ls"}) == Texts{"ls"});
  CHECK(rest({"-qo", "dir", "ls"}) == Texts{"ls"});
  CHECK(rest({"--output", "dir", "ls"}) == Texts{"ls"});
  CHECK(rest({"--output=dir", "ls"}) == Texts{"ls"});
  CHECK(rest({"--check", "5", "--log-level", "debug", "ls"}) == Texts{"ls"});
  CHECK(rest({"-o", "--", "ls"}) == Texts{"ls"});
  CHECK(rest({"-o"}).empty());
}

TEST_CASE("an unknown option takes no value: the parser will complain about it") {
  CHECK(rest({"--unknown", "ls"}) == Texts{"ls"});
}

}  // namespace tmrec::cli
