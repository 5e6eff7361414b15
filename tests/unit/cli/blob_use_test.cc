#include "cli/blob_use.h"

#include <doctest/doctest.h>

#include "format/blob_store.h"
#include "format/core_file.h"
#include "format/log.h"
#include "format/manifest.h"
#include "format/trace_dir.h"
#include "tests/unit/cli/scratch.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

BlobId store(const fs::path& root, std::uint8_t content) {
  Result<BlobStore> blobs = BlobStore::create(root);
  REQUIRE(blobs);
  const std::uint8_t bytes[]{content};
  Result<BlobId> id = blobs->put_bytes(bytes);
  REQUIRE(id);
  return *id;
}

MapSource file_source(const BlobId& id) {
  MapSource source;
  source.kind = MapSource::Kind::File;
  source.backing = BackingId(1);
  source.blob = id;
  source.size = 1;
  source.path = "/some/file";
  return source;
}

// A trace whose log maps the blob, and whose snapshot maps another if there is one.
fs::path make_trace(const fs::path& path, const BlobId& mapped, const BlobId& in_snapshot) {
  REQUIRE(TraceDir::create(path));
  Result<std::unique_ptr<LogWriter>> log = LogWriter::create(path);
  REQUIRE(log);
  SyscallEvent call;
  call.regs.orig_rax = 9;
  call.mapping = file_source(mapped);
  (*log)->append(Event{EventNo(0), Tid(1), Ticks(0), 0, call});
  (*log)->append(Event{EventNo(0), Tid(1), Ticks(0), 0, EndEvent{}});
  REQUIRE((*log)->finish());
  Snapshot snapshot;
  snapshot.task = snapshot.process = Tid(1);
  snapshot.xstate.resize(576);  // the legacy area and the header of an XSAVE area
  Mapping mapping;
  mapping.start = RemoteAddr(0x10000);
  mapping.end = RemoteAddr(0x11000);
  mapping.prot = 1;
  mapping.source = file_source(in_snapshot);
  snapshot.mappings.push_back(mapping);
  REQUIRE(write_core(snapshot, path / TraceDir::snapshot_name(EventNo(1), Tid(1))));
  REQUIRE(Manifest().save(path));
  return path;
}

bool has(const fs::path& root, const BlobId& id) { return fs::exists(root / id.hex); }

}  // namespace

TEST_CASE("a blob goes when the last trace that refers to it is gone") {
  const Scratch dir;
  const fs::path blobs = dir.root / "blobs";
  const BlobId shared = store(blobs, 1), first_only = store(blobs, 2), second_only = store(blobs, 3),
               orphan = store(blobs, 4);
  const fs::path first = make_trace(dir.root / "a-1", shared, first_only);
  make_trace(dir.root / "b-1", second_only, shared);
  dir.file("blobs/.123-0-abc.tmp", "half a blob");

  CHECK(collect(blobs)->blobs == 2);  // the orphan and the temporary file
  CHECK(!has(blobs, orphan));
  CHECK((has(blobs, shared) && has(blobs, first_only) && has(blobs, second_only)));

  fs::remove_all(first);
  const Result<Collected> collected = collect(blobs);
  REQUIRE(collected);
  CHECK(collected->blobs == 1);
  CHECK(collected->bytes == 1);
  CHECK((has(blobs, shared) && !has(blobs, first_only) && has(blobs, second_only)));
}

TEST_CASE("traces elsewhere count when they were recorded into the store") {
  const Scratch dir;
  const fs::path blobs = dir.root / "shared/blobs";
  const BlobId far = store(blobs, 1);
  const fs::path trace = make_trace(dir.root / "elsewhere/x-1", far, far);
  REQUIRE(register_trace(blobs, trace));
  CHECK(collect(blobs)->blobs == 0);
  CHECK(has(blobs, far));
  fs::remove_all(trace);
  CHECK(collect(blobs)->blobs == 1);
}

TEST_CASE("nothing is collected while a recording holds the store") {
  const Scratch dir;
  const fs::path blobs = dir.root / "blobs";
  const BlobId fresh = store(blobs, 1);
  {
    const Result<Fd> recording = register_trace(blobs, dir.root / "a-1");
    REQUIRE(recording);
    CHECK(!collect(blobs)->kept_because.empty());
    CHECK(has(blobs, fresh));
  }
  CHECK(collect(blobs)->blobs == 1);
}

TEST_CASE("nothing is collected when a trace cannot tell what it needs") {
  const Scratch dir;
  const fs::path blobs = dir.root / "blobs";
  const BlobId needed = store(blobs, 1);
  const fs::path trace = make_trace(dir.root / "a-1", needed, needed);
  dir.file("a-1/log/000001", std::string(200, 'x'));
  CHECK(collect(blobs)->kept_because.find("a-1") != std::string::npos);
  CHECK(has(blobs, needed));
}

TEST_CASE("a store that is not there is nothing to collect") {
  const Scratch dir;
  CHECK(collect(dir.root / "absent")->blobs == 0);
}

}  // namespace tmrec::cli
