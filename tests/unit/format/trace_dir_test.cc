#include "format/trace_dir.h"

#include <doctest/doctest.h>

#include "tests/unit/format/samples.h"

using namespace tmrec;
namespace fs = std::filesystem;

TEST_CASE("a trace is created privately, with its parents, and only once") {
  const samples::TemporaryDirectory dir;
  const fs::path path = dir.path() / "a" / "b" / "trace";
  const auto trace = TraceDir::create(path);
  REQUIRE_MESSAGE(trace, trace.error().text);
  for (const fs::path& p : {path, path.parent_path(), path.parent_path().parent_path()})
    CHECK(static_cast<unsigned>(fs::status(p).permissions()) == 0700);
  const auto again = TraceDir::create(path);
  REQUIRE_FALSE(again);
  CHECK(again.error().kind == ErrorKind::Usage);
  CHECK_FALSE(TraceDir::create(path.string() + "/"));
  CHECK(TraceDir::create((dir.path() / "slash").string() + "/"));
}

TEST_CASE("a path below a file can't become a trace") {
  const samples::TemporaryDirectory dir;
  samples::overwrite(dir.path() / "file", {1});
  CHECK_FALSE(TraceDir::create(dir.path() / "file" / "trace"));
  CHECK_FALSE(TraceDir::create(dir.path() / "file"));
}

TEST_CASE("only a directory with a manifest or a log is a trace") {
  const samples::TemporaryDirectory dir;
  for (const fs::path& path : {dir.path(), dir.path() / "missing", fs::path("/dev/null")}) {
    const auto trace = TraceDir::open(path);
    REQUIRE_FALSE(trace);
    CHECK(trace.error().kind == ErrorKind::BadTrace);
    CHECK(trace.error().text.starts_with(path.string()));
  }
  fs::create_directory(dir.path() / "log");
  CHECK(TraceDir::open(dir.path()));
}

TEST_CASE("names of snapshots can't lead out of the trace") {
  const samples::TemporaryDirectory dir;
  fs::create_directory(dir.path() / "log");
  const auto trace = TraceDir::open(dir.path());
  REQUIRE(trace);
  const std::string name = TraceDir::snapshot_name(EventNo(5), Tid(77));
  CHECK(name == "snapshot-5-77.core");
  CHECK(*trace->snapshot(name) == dir.path() / name);
  for (const char* bad : {"", "..", "/etc/passwd", "snapshot-/../../x", "snapshot-1\n.core", "manifest.json"})
    CHECK_FALSE(trace->snapshot(bad));
  CHECK_FALSE(trace->snapshot("snapshot-" + std::string(300, 'x')));
  CHECK_FALSE(trace->snapshot(std::string("snapshot-1\0.core", 16)));
}

TEST_CASE("a snapshot that cannot be made durable is told of") {
  const samples::TemporaryDirectory dir;
  const auto trace = TraceDir::create(dir.path() / "trace");
  REQUIRE(trace);
  CHECK(trace->sync());
  const fs::path snapshot = trace->path() / TraceDir::snapshot_name(EventNo(1), Tid(2));
  samples::overwrite(snapshot, {1});
  CHECK(trace->sync());
  fs::remove(snapshot);
  fs::create_symlink("elsewhere", snapshot);
  const auto synced = trace->sync();
  REQUIRE_FALSE(synced);
  CHECK(synced.error().text.find("snapshot-1-2.core") != std::string::npos);
  fs::remove_all(trace->path());
  CHECK_FALSE(trace->sync());
}

TEST_CASE("the blob store is found from the trace") {
  const samples::TemporaryDirectory dir;
  fs::create_directories(dir.path() / "t" / "log");
  const auto trace = TraceDir::open(dir.path() / "t");
  REQUIRE(trace);
  CHECK(trace->blob_root("../blobs") == dir.path() / "blobs");
  CHECK(trace->blob_root("/var/lib/tmrec/blobs") == "/var/lib/tmrec/blobs");
}
