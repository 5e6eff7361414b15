#include "replayer/objects.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace tmrec;
namespace fs = std::filesystem;

namespace {

struct Fixture {
  fs::path scratch = [] {
    std::string name = (fs::temp_directory_path() / "tmrec-objects-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    return fs::path(name);
  }();
  BlobStore writer = *BlobStore::create(scratch / "blobs");
  std::vector<std::uint32_t> shown;
  replayer::Objects objects{BlobStore::open(scratch / "blobs"), [this](BackingId id, int) -> Result<void> {
                              shown.push_back(id.value);
                              return {};
                            }};
  ~Fixture() { fs::remove_all(scratch); }

  MapSource source(std::uint32_t id, const std::string& text) {
    auto blob = writer.put_bytes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    REQUIRE(blob);
    return {MapSource::Kind::File, BackingId(id), *blob, 0, text.size(), "file"};
  }
  static std::string content(int fd) {
    struct stat file{};
    REQUIRE(fstat(fd, &file) == 0);
    std::string text(static_cast<std::size_t>(file.st_size), 0);
    REQUIRE(pread(fd, text.data(), text.size(), 0) == file.st_size);
    return text;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a private mapping shows the blob itself until the object changes") {
  auto fd = objects.show(source(1, "hello"), false);
  REQUIRE(fd);
  CHECK(content(*fd) == "hello");
  CHECK(shown.empty());
  REQUIRE(objects.change({BackingId(1), 1, {'E', 'L'}, std::nullopt}));
  CHECK(shown == std::vector<std::uint32_t>{1});
  MapSource as_logged{MapSource::Kind::File, BackingId(1), {}, 0, 5, "file"};
  auto now = objects.show(as_logged, false);
  REQUIRE(now);
  CHECK(content(*now) == "hELlo");
  REQUIRE(objects.change({BackingId(1), 0, {}, 2}));
  CHECK(content(*now) == "hE");
  CHECK(shown.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a shared mapping is never the blob, and later content replaces what it shows") {
  auto fd = objects.show(source(7, "first"), true);
  REQUIRE(fd);
  REQUIRE(pwrite(*fd, "F", 1, 0) == 1);
  auto again = objects.show(source(7, "second one"), true);
  REQUIRE(again);
  CHECK(*again == *fd);
  CHECK(content(*fd) == "second one");
  auto blob = writer.open_verified(source(7, "first").blob);
  REQUIRE(blob);
  CHECK(content(*blob) == "first");
  close(*blob);
}

TEST_CASE_FIXTURE(Fixture, "a damaged trace is told from a failing machine") {
  auto never_mapped = objects.change({BackingId(3), 0, {1}, std::nullopt});
  REQUIRE_FALSE(never_mapped);
  CHECK(never_mapped.error().kind == ErrorKind::BadTrace);
  auto no_content = objects.show({MapSource::Kind::File, BackingId(4), {}, 0, 1, "file"}, false);
  REQUIRE_FALSE(no_content);
  CHECK(no_content.error().kind == ErrorKind::BadTrace);
  REQUIRE(objects.show(source(5, "x"), true));
  auto impossible = objects.change({BackingId(5), 0, {}, std::uint64_t{1} << 63});
  REQUIRE_FALSE(impossible);
  CHECK(impossible.error().kind == ErrorKind::BadTrace);
}
