#include "cli/trace_place.h"

#include <doctest/doctest.h>

#include "tests/unit/cli/scratch.h"

namespace tmrec::cli {
namespace fs = std::filesystem;

TEST_CASE("stems are plain file names") {
  CHECK(trace_stem("/usr/bin/redis-server") == "redis-server");
  CHECK(trace_stem("a b/c d\n$") == "c_d__");
  CHECK(trace_stem(".hidden") == "_hidden");
  CHECK(trace_stem("-x") == "_x");
  CHECK(trace_stem("..") == "_.");
  CHECK(trace_stem("dir/") == "program");
  CHECK(trace_stem(std::string(200, 'x')).size() == 64);
}

TEST_CASE("the base directory follows the environment") {
  const Scratch dir;
  const Environment home("HOME", dir.root.string());
  const Environment data("XDG_DATA_HOME", std::nullopt);
  const Environment none("TMREC_TRACE_DIR", std::nullopt);
  CHECK(base_directory().value() == dir.root / ".local/share/tmrec");
  const Environment xdg("XDG_DATA_HOME", (dir.root / "data").string());
  CHECK(base_directory().value() == dir.root / "data/tmrec");
  const Environment own("TMREC_TRACE_DIR", (dir.root / "own").string());
  CHECK(base_directory().value() == dir.root / "own");
}

TEST_CASE("blobs lie beside the trace unless TMREC_BLOB_DIR says otherwise") {
  const Environment none("TMREC_BLOB_DIR", std::nullopt);
  CHECK(blob_directory("/base/ls-1") == "/base/blobs");
  CHECK(blob_directory("/base/ls-1/") == "/base/blobs");
  CHECK(blob_directory("ls-1") == "blobs");
  const Environment shared("TMREC_BLOB_DIR", "/shared");
  CHECK(blob_directory("/base/ls-1") == "/shared");
}

TEST_CASE("numbers go up, per stem, and are not given twice") {
  const Scratch dir;
  const fs::path base = dir.root / "base";
  {
    const Result<Reservation> first = reserve(base, "ls");
    const Result<Reservation> second = reserve(base, "ls");  // the first has not created its trace yet
    const Result<Reservation> other = reserve(base, "cat");
    REQUIRE((first && second && other));
    CHECK(first->trace() == base / "ls-1");
    CHECK(second->trace() == base / "ls-2");
    CHECK(other->trace() == base / "cat-1");
    CHECK(being_recorded(base / "ls-1"));
    CHECK(!being_recorded(base / "ls-3"));
    CHECK((fs::status(base).permissions() & fs::perms::all) == fs::perms::owner_all);
  }
  CHECK(fs::is_empty(base));
  CHECK(reserve(base, "ls")->trace() == base / "ls-1");
  fs::create_directories(base / "ls-9");
  fs::create_directories(base / "ls-x-30");
  fs::create_directories(base / "ls-");
  CHECK(reserve(base, "ls")->trace() == base / "ls-10");
}

TEST_CASE("a reservation whose owner died does not count") {
  const Scratch dir;
  dir.file(".ls-1.reserved", "");
  CHECK(!being_recorded(dir.root / "ls-1"));
  CHECK(reserve(dir.root, "ls")->trace() == dir.root / "ls-1");
}

TEST_CASE("a place that exists, or is being recorded to, is refused") {
  const Scratch dir;
  const Result<Reservation> first = reserve_at(dir.root / "new");
  REQUIRE(first);
  CHECK(reserve_at(dir.root / "new").error().kind == ErrorKind::Usage);
  dir.file("file", "");
  CHECK(reserve_at(dir.root / "file").error().kind == ErrorKind::Usage);
  fs::create_symlink("nowhere", dir.root / "dangling");
  CHECK(reserve_at(dir.root / "dangling").error().kind == ErrorKind::Usage);
}

TEST_CASE("latest moves, and moves back when nothing was recorded") {
  const Scratch dir;
  CHECK(point_latest(dir.root, "ls-1").value() == std::nullopt);
  CHECK(point_latest(dir.root, "ls-2").value() == "ls-1");
  CHECK(fs::read_symlink(dir.root / "latest") == "ls-2");
  unpoint_latest(dir.root, "ls-1", "ls-0");  // somebody else's by now
  CHECK(fs::read_symlink(dir.root / "latest") == "ls-2");
  unpoint_latest(dir.root, "ls-2", "ls-1");
  CHECK(fs::read_symlink(dir.root / "latest") == "ls-1");
  unpoint_latest(dir.root, "ls-1", std::nullopt);
  CHECK(!fs::exists(fs::symlink_status(dir.root / "latest")));
}

TEST_CASE("traces are found by name, by path, and as the newest") {
  const Scratch dir;
  const Environment own("TMREC_TRACE_DIR", dir.root.string());
  CHECK(find_trace("").error().kind == ErrorKind::BadTrace);
  dir.file("ls-1/manifest.json", "{}");
  dir.file("cat-1/manifest.json", "{}");
  dir.file("blobs/0", "");
  dir.file("stray", "");
  REQUIRE(point_latest(dir.root, "ls-1"));
  CHECK(find_trace("").value() == fs::canonical(dir.root / "ls-1"));
  CHECK(find_trace("cat-1").value() == fs::canonical(dir.root / "cat-1"));
  CHECK(find_trace((dir.root / "cat-1").string()).value() == fs::canonical(dir.root / "cat-1"));
  CHECK(find_trace("absent").error().kind == ErrorKind::BadTrace);
  CHECK(find_trace("stray").error().text.find("neither a directory nor a pack") != std::string::npos);
  CHECK(traces_in(dir.root).value() == std::vector<fs::path>{dir.root / "cat-1", dir.root / "ls-1"});
  CHECK(traces_in(dir.root / "absent").value().empty());
}

}  // namespace tmrec::cli
