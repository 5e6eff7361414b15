#include "format/blob_store.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/unit/format/samples.h"

using namespace tmrec;
namespace fs = std::filesystem;

namespace {

Bytes pattern(std::size_t size, std::uint8_t from) {
  Bytes b(size);
  for (std::size_t i = 0; i < size; ++i) b[i] = static_cast<std::uint8_t>(from + i * i);
  return b;
}

Fd opened(const fs::path& path) {
  auto fd = open_file(path, O_RDONLY);
  REQUIRE_MESSAGE(fd, fd.error().text);
  return std::move(*fd);
}

// Content of a verified blob.
Bytes fetch(BlobStore& store, const BlobId& id) {
  const auto fd = store.open_verified(id);
  REQUIRE_MESSAGE(fd, fd.error().text);
  const Fd owner(*fd);
  Bytes bytes(fs::file_size(store.path_of(id)));
  REQUIRE(read_at(*fd, 0, bytes) == static_cast<std::int64_t>(bytes.size()));
  return bytes;
}

std::size_t files_in(const fs::path& dir) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(dir), fs::directory_iterator()));
}

BlobStore created(const fs::path& root) {
  auto store = BlobStore::create(root);
  REQUIRE_MESSAGE(store, store.error().text);
  return std::move(*store);
}

}  // namespace

TEST_CASE("a file is stored once per content, under its hash, privately") {
  const samples::TemporaryDirectory dir;
  BlobStore store = created(dir.path() / "deep" / "blobs");
  for (const std::size_t size : {0u, 1u, 4096u, 256u << 10, (256u << 10) + 1, 3'000'000u}) {
    const Bytes content = pattern(size, 7);
    samples::overwrite(dir.path() / "a", content);
    samples::overwrite(dir.path() / "b", content);
    const std::size_t before = files_in(store.root());
    const auto first = store.put_fd(opened(dir.path() / "a").get());
    const auto second = store.put_fd(opened(dir.path() / "b").get());
    const auto third = store.put_bytes(content);
    REQUIRE_MESSAGE(first, first.error().text);
    REQUIRE(second);
    REQUIRE(third);
    CHECK(*first == *second);
    CHECK(*first == *third);
    CHECK(BlobStore::valid(*first));
    CHECK(files_in(store.root()) == before + 1);
    CHECK(fetch(store, *first) == content);
    CHECK(static_cast<unsigned>(fs::status(store.path_of(*first)).permissions()) == 0600);
  }
  CHECK(static_cast<unsigned>(fs::status(store.root()).permissions()) == 0700);
  CHECK(store.sync());
}

TEST_CASE("the id is XXH3-128 of the content in its canonical form") {
  const samples::TemporaryDirectory dir;
  BlobStore store = created(dir.path());
  const auto empty = store.put_bytes({});
  REQUIRE(empty);
  CHECK(empty->hex == "99aa06d3014798d86001c324468d497f");  // xxhsum -H128 of an empty file
}

TEST_CASE("bytes with a known hash are linked where that is possible, else copied: one file for all") {
  const samples::TemporaryDirectory dir;
  const Bytes content = pattern(10000, 3);
  const BlobId id = [&] {
    BlobStore store = created(dir.path() / "first");
    return *store.put_bytes(content);
  }();
  const fs::path original = dir.path() / "first" / id.hex;
  const Fd file = opened(original);
  BlobStore store = created(dir.path() / "second");
  REQUIRE(store.put_known(id, content, file.get()));
  CHECK(fs::equivalent(store.path_of(id), original));
  CHECK(fetch(store, id) == content);
  CHECK(store.sync());
  REQUIRE(store.put_known(id, content, -1));
  CHECK(fs::equivalent(store.path_of(id), original));

  BlobStore third = created(dir.path() / "third");
  REQUIRE(third.put_known(id, content, -1));
  CHECK_FALSE(fs::equivalent(third.path_of(id), original));
  CHECK(static_cast<unsigned>(fs::status(third.path_of(id)).permissions()) == 0400);
  REQUIRE(third.put_known(id, content, file.get()));
  CHECK(fs::equivalent(third.path_of(id), original));
  CHECK(fetch(third, id) == content);
  CHECK(files_in(third.root()) == 1);
  CHECK_FALSE(third.put_known({"no name"}, content, -1));
}

TEST_CASE("a descriptor's offset is left alone") {
  const samples::TemporaryDirectory dir;
  BlobStore store = created(dir.path() / "blobs");
  samples::overwrite(dir.path() / "a", pattern(1000, 1));
  const Fd fd = opened(dir.path() / "a");
  REQUIRE(::lseek(fd.get(), 123, SEEK_SET) == 123);
  REQUIRE(store.put_fd(fd.get()));
  CHECK(::lseek(fd.get(), 0, SEEK_CUR) == 123);
}

TEST_CASE("a file that changed is stored again, one that did not is not read again") {
  const samples::TemporaryDirectory dir;
  BlobStore store = created(dir.path() / "blobs");
  const fs::path file = dir.path() / "a";
  samples::overwrite(file, pattern(1000, 1));
  const auto first = store.put_fd(opened(file).get());
  REQUIRE(first);
  fs::remove(store.path_of(*first));
  CHECK(*store.put_fd(opened(file).get()) == *first);
  CHECK_FALSE(fs::exists(store.path_of(*first)));  // the answer came from memory
  samples::overwrite(file, pattern(1000, 2));
  const auto second = store.put_fd(opened(file).get());
  REQUIRE(second);
  CHECK(*second != *first);
  CHECK(fetch(store, *second) == pattern(1000, 2));
}

TEST_CASE("only regular files are stored") {
  const samples::TemporaryDirectory dir;
  BlobStore store = created(dir.path() / "blobs");
  const Fd null = opened("/dev/null");
  CHECK_FALSE(store.put_fd(null.get()));
  CHECK_FALSE(store.put_fd(-1));
  CHECK(files_in(store.root()) == 0);
}

TEST_CASE("a damaged, missing, replaced or misnamed blob is an error with its path") {
  const samples::TemporaryDirectory dir;
  BlobStore store = created(dir.path());
  const Bytes content = pattern(5000, 1);
  const auto id = store.put_bytes(content);
  REQUIRE(id);
  const auto expect_error = [&](BlobStore& from, const std::string& text) {
    const auto fd = from.open_verified(*id);
    REQUIRE_FALSE(fd);
    CHECK(fd.error().kind == ErrorKind::BadTrace);
    CHECK_MESSAGE(fd.error().text.find(text) != std::string::npos, fd.error().text);
    CHECK(fd.error().text.starts_with(store.path_of(*id).string()));
  };
  CHECK(fetch(store, *id) == content);

  Bytes damaged = content;
  damaged[2500] ^= 1;
  samples::overwrite(store.path_of(*id), damaged);
  BlobStore fresh = BlobStore::open(dir.path());
  expect_error(fresh, "damaged blob");
  expect_error(store, "damaged blob");  // verified once, but changed since
  damaged = content;
  damaged.pop_back();
  samples::overwrite(store.path_of(*id), damaged);
  expect_error(fresh, "damaged blob");
  CHECK(*store.put_bytes(content) == *id);  // a blob cut short is replaced
  CHECK(fetch(fresh, *id) == content);

  fs::remove(store.path_of(*id));
  expect_error(fresh, "No such file");
  fs::create_symlink("/etc/passwd", store.path_of(*id));
  expect_error(fresh, "");
  fs::remove(store.path_of(*id));
  fs::create_directory(store.path_of(*id));
  expect_error(fresh, "not a blob");

  for (const char* name :
       {"", "../../etc/passwd", "0123456789abcdef0123456789ABCDEF", "0123456789abcdef0123456789abcde/"}) {
    CHECK_FALSE(BlobStore::valid({name}));
    const auto fd = store.open_verified({name});
    REQUIRE_FALSE(fd);
    CHECK(fd.error().kind == ErrorKind::BadTrace);
  }
}

TEST_CASE("a file that changes while it is stored is stored as something it was, under its true name") {
  const samples::TemporaryDirectory dir;
  BlobStore store = created(dir.path() / "blobs");
  const fs::path file = dir.path() / "changing";
  samples::overwrite(file, Bytes(2'000'000, 0));
  std::atomic<bool> done = false;
  std::thread writer([&] {
    auto fd = open_file(file, O_RDWR);
    for (std::uint64_t i = 0; !done && fd; ++i) {
      const std::uint64_t at = i * 4093 % 1'999'992;
      if (::pwrite(fd->get(), &i, sizeof i, static_cast<off_t>(at)) != sizeof i) break;
      if (i % 64 == 0 && ::ftruncate(fd->get(), static_cast<off_t>(1'500'000 + at / 4)) != 0) break;
    }
  });
  for (int i = 0; i < 30; ++i) {
    const auto id = store.put_fd(opened(file).get());
    REQUIRE_MESSAGE(id, id.error().text);
    fetch(store, *id);  // verifies
  }
  done = true;
  writer.join();
  for (const auto& entry : fs::directory_iterator(store.root())) fetch(store, {entry.path().filename().string()});
}

TEST_CASE("several processes and threads fill one store at a time") {
  const samples::TemporaryDirectory dir;
  const fs::path root = dir.path() / "blobs";
  constexpr int kFiles = 20;
  for (int i = 0; i < kFiles; ++i)
    samples::overwrite(dir.path() / std::to_string(i),
                       pattern(100'000 + static_cast<std::size_t>(i), static_cast<std::uint8_t>(i)));
  const auto fill = [&](BlobStore& store, int first) {
    bool good = true;
    for (int i = 0; i < kFiles; ++i) {
      auto fd = open_file(dir.path() / std::to_string((i + first) % kFiles), O_RDONLY);
      good = good && fd && store.put_fd(fd->get());
    }
    return good;
  };
  std::vector<pid_t> children;
  for (int child = 0; child < 4; ++child) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      auto store = BlobStore::create(root);
      ::_exit(store && fill(*store, child) ? 0 : 1);
    }
    children.push_back(pid);
  }
  BlobStore store = created(root);
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) threads.emplace_back([&, t] { good += fill(store, t) ? 1 : 0; });
  for (std::thread& t : threads) t.join();
  CHECK(good == 3);
  for (const pid_t pid : children) {
    int status = -1;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
  }
  CHECK(files_in(root) == kFiles);
  for (const auto& entry : fs::directory_iterator(root)) fetch(store, {entry.path().filename().string()});
}
