#include "replayer/bookmarks.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

using namespace tmrec;
using namespace tmrec::replayer;
namespace fs = std::filesystem;

namespace {

struct Trace {
  fs::path path = [] {
    std::string name = (fs::temp_directory_path() / "tmrec-bookmarks-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    return fs::path(name);
  }();
  Bookmarks bookmarks{path};
  ~Trace() { fs::remove_all(path); }

  static Bookmark at(std::uint64_t event, const std::string& name) {
    return {{EventNo(event), Ticks(2), 3}, Tid(7), name};
  }
  void holds(const std::string& text) const { std::ofstream(path / "bookmarks") << text; }
};

}  // namespace

TEST_CASE_FIXTURE(Trace, "bookmarks are kept in the order of positions, for whoever looks next") {
  CHECK(bookmarks.all()->empty());
  REQUIRE(bookmarks.put(at(50, "the crash, as seen first")));
  REQUIRE(bookmarks.put(at(5, "a")));
  const auto all = Bookmarks(path).all();
  REQUIRE(all);
  CHECK(*all == std::vector{at(5, "a"), at(50, "the crash, as seen first")});
}

TEST_CASE_FIXTURE(Trace, "a name is one place") {
  REQUIRE(bookmarks.put(at(50, "a")));
  REQUIRE(bookmarks.put(at(60, "a")));
  CHECK(*bookmarks.all() == std::vector{at(60, "a")});
  CHECK(*bookmarks.remove("a"));
  CHECK_FALSE(*bookmarks.remove("a"));
  CHECK(bookmarks.all()->empty());
}

TEST_CASE_FIXTURE(Trace, "a file of something else is named with its line, and left alone") {
  for (const char* bad :
       {"x\n", "1.2.3\n", "1.2.3 7\n", "1.2.3 7 \n", "1.2.3 -7 a\n", "1.2.3 99999999999 a\n", "1.2.3.4 7 a\n"}) {
    CAPTURE(bad);
    holds(std::string("1.2.3 7 good\n") + bad);
    const auto all = bookmarks.all();
    REQUIRE_FALSE(all);
    CHECK(all.error().text.find("line 2") != std::string::npos);
    CHECK_FALSE(bookmarks.put(at(5, "a")));
    CHECK_FALSE(bookmarks.remove("good"));
  }
}

TEST_CASE("names are one line of text") {
  for (const char* good : {"a", "two words", "1", "\xc3\xa4"}) CHECK(is_name(good));
  for (const char* bad : {"", " a", "a ", "a\nb", "a\tb", "\x7f"}) CHECK_FALSE(is_name(bad));
  CHECK_FALSE(is_name(std::string(kMostOfName + 1, 'a')));
}
