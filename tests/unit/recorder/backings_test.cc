#include "recorder/backings.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>

using namespace tmrec;
namespace fs = std::filesystem;

namespace {

struct Scratch {
  fs::path path;
  Scratch() {
    std::string name = (fs::temp_directory_path() / "tmrec-backings-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Scratch() { fs::remove_all(path); }
};

struct Fixture {
  Scratch scratch;
  BlobStore blobs = *BlobStore::create(scratch.path / "blobs");
  recorder::Backings backings{blobs};
  fs::path file = scratch.path / "file";

  void put(const std::string& text, off_t at = 0) const {
    Fd fd(open(file.c_str(), O_WRONLY | O_CREAT, 0600));
    REQUIRE(pwrite(fd.get(), text.data(), text.size(), at) == static_cast<ssize_t>(text.size()));
  }
  struct stat status() const {
    struct stat now{};
    REQUIRE(stat(file.c_str(), &now) == 0);
    return now;
  }
  MapSource map() {
    auto source = backings.map_file(file, 0, "shown");
    REQUIRE(source);
    return *source;
  }
  std::string content(const BlobId& id) const {
    auto bytes = read_whole(blobs.path_of(id), 1 << 20, ErrorKind::System);
    REQUIRE(bytes);
    return {bytes->begin(), bytes->end()};
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a file mapped twice is one backing with one content") {
  put("hello");
  CHECK_FALSE(backings.is_mapped(status()));
  MapSource first = map(), second = map();
  CHECK(backings.is_mapped(status()));
  CHECK(first.backing == second.backing);
  CHECK(first.blob == second.blob);
  CHECK(first.size == 5);
  CHECK(first.path == "shown");
  CHECK(content(first.blob) == "hello");
}

TEST_CASE_FIXTURE(Fixture, "a stranger's change is seen at the next mapping") {
  put("hello");
  MapSource before = map();
  usleep(20'000);  // file times move by the kernel's clock tick
  put("HELLO, WORLD");
  MapSource after = map();
  CHECK(before.backing == after.backing);
  CHECK(content(before.blob) == "hello");
  CHECK(content(after.blob) == "HELLO, WORLD");
}

TEST_CASE_FIXTURE(Fixture, "a change of the recording's own is an event and needs no second copy") {
  put("hello");
  MapSource before = map();
  usleep(20'000);
  put("ELL", 1);
  auto change = backings.changed(status(), 1, 3);
  REQUIRE(change);
  CHECK(change->backing == before.backing);
  CHECK(std::string(change->bytes.begin(), change->bytes.end()) == "ELL");
  CHECK_FALSE(change->new_size);
  CHECK(map().blob.hex.empty());  // as the log has made it

  usleep(20'000);
  REQUIRE(truncate(file.c_str(), 2) == 0);
  auto cut = backings.changed(status(), 2, 0);
  REQUIRE(cut);
  CHECK(cut->new_size == 2);
  CHECK(cut->bytes.empty());
}

TEST_CASE_FIXTURE(Fixture, "what can't be a backing is an error, not a guess") {
  CHECK_FALSE(backings.map_file("/dev/null", 0, "null"));
  CHECK_FALSE(backings.map_file(scratch.path / "missing", 0, "missing"));
  put("x");
  CHECK_FALSE(backings.changed(status(), 0, 1));  // never mapped
}
