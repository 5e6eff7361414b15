#include "format/pack.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <cstdlib>

#include "format/pack_layout.h"
#include "tests/unit/format/samples.h"

using namespace tmrec;
namespace fs = std::filesystem;

namespace {

const std::string kBlob = "blobs/0123456789abcdef0123456789abcdef";

Bytes bytes_of(const std::string& text) { return Bytes(text.begin(), text.end()); }

PackedFile file_of(const std::string& name, Bytes content) { return {name, content.size(), {}, std::move(content)}; }

std::vector<PackedFile> some_files() {
  Bytes large(3'000'000);
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::uint8_t>(i * i >> 7);
  return {file_of("manifest.json", bytes_of("{}")), file_of("log/000001", {}),
          file_of("snapshot-1-2.core", Bytes(512, 7)), file_of(kBlob, std::move(large)),
          file_of("debug/ab/cdef0123.debug", Bytes(513, 9))};
}

Fd memory_file(const Bytes& content = {}) {
  Fd fd(::memfd_create("pack", MFD_CLOEXEC));
  REQUIRE(write_all(fd.get(), content) == 0);
  REQUIRE(::lseek(fd.get(), 0, SEEK_SET) == 0);
  return fd;
}

Bytes packed(const std::vector<PackedFile>& files) {
  const Fd fd = memory_file();
  const auto done = write_pack(fd.get(), "name-1", files);
  REQUIRE_MESSAGE(done, done.error().text);
  return samples::contents(fmt::format("/proc/self/fd/{}", fd.get()));
}

Result<void> unpack(const Bytes& pack, const fs::path& to) {
  TMREC_TRY(PackReader reader, PackReader::open(memory_file(pack), "bug.tmrec"));
  return reader.unpack(to);
}

// A pack with this archive in it.
Bytes compressed(const Bytes& archive) {
  Bytes pack(ZSTD_compressBound(archive.size()));
  pack.resize(ZSTD_compress(pack.data(), pack.size(), archive.data(), archive.size(), 1));
  return pack;
}

void append(Bytes& archive, const std::string& name, char type, const std::string& content) {
  const auto header = pack::tar_header("name-1", name, type, content.size());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&header);
  archive.insert(archive.end(), bytes, bytes + sizeof header);
  archive.insert(archive.end(), content.begin(), content.end());
  archive.resize(archive.size() + pack::padding_behind(content.size()));
}

Bytes archive_with_list(const std::string& list) {
  Bytes archive;
  append(archive, "", pack::kDirectory, "");
  append(archive, pack::kListName, pack::kRegular, list);
  return archive;
}

void check_refused(const Result<void>& result, const std::string& why = "") {
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::BadTrace);
  CHECK(result.error().text.starts_with("bug.tmrec: "));
  CHECK(result.error().text.find('\n') == std::string::npos);
  CHECK_MESSAGE(result.error().text.find(why) != std::string::npos, result.error().text);
}

}  // namespace

TEST_CASE("what was packed is unpacked, privately") {
  const samples::TemporaryDirectory dir;
  const auto files = some_files();
  auto reader = PackReader::open(memory_file(packed(files)), "bug.tmrec");
  REQUIRE(reader);
  REQUIRE(reader->entries().size() == files.size());
  std::uint64_t told = 0;
  REQUIRE(reader->unpack(dir.path(), [&](std::uint64_t done, std::uint64_t total) {
    CHECK(done > told);
    CHECK(total == reader->size());
    told = done;
  }));
  CHECK(told == reader->size());
  for (const PackedFile& file : files) {
    CHECK(samples::contents(dir.path() / file.name) == file.content);
    CHECK(static_cast<unsigned>(fs::status(dir.path() / file.name).permissions()) == 0600);
  }
  CHECK(static_cast<unsigned>(fs::status(dir.path() / "blobs").permissions()) == 0700);
}

TEST_CASE("anybody's tar unpacks a pack") {
  const samples::TemporaryDirectory dir;
  const auto files = some_files();
  samples::overwrite(dir.path() / "pack", packed(files));
  const std::string command = fmt::format("cd {} && zstd -q -d <pack | tar -xf -", dir.path().string());
  REQUIRE(std::system(command.c_str()) == 0);
  for (const PackedFile& file : files) CHECK(samples::contents(dir.path() / "name-1" / file.name) == file.content);
  CHECK(static_cast<unsigned>(fs::status(dir.path() / "name-1").permissions()) == 0700);
}

TEST_CASE("a file that changed is not packed as if it had not") {
  const samples::TemporaryDirectory dir;
  samples::overwrite(dir.path() / "log", Bytes(100, 1));
  const Fd fd = memory_file();
  std::vector<PackedFile> files{{"log/000001", 101, dir.path() / "log", {}}};
  CHECK_FALSE(write_pack(fd.get(), "name-1", files));
  files[0].size = 99;
  CHECK(write_pack(fd.get(), "name-1", files));
  files[0].name = "../x";
  CHECK_FALSE(write_pack(fd.get(), "name-1", files));
}

TEST_CASE("names that lead out of a trace, or that no trace has, are none") {
  for (const char* name : {"manifest.json", "log/000001", "log/1234567", "snapshot-1-2.core", "debug/ab/cd.debug"})
    CHECK_MESSAGE(valid_pack_name(name), name);
  CHECK(valid_pack_name(kBlob));
  for (const char* name : {"",
                           ".",
                           "..",
                           "/",
                           "/etc/passwd",
                           "../manifest.json",
                           "log/../../x",
                           "log/00001",
                           "log/",
                           "log/00000x",
                           "blobs/",
                           "blobs/..",
                           "blobs/0123456789ABCDEF0123456789ABCDEF",
                           "snapshot-../../x.core",
                           "snapshot-1/2.core",
                           "debug/..//x.debug",
                           "debug/ab/../x.debug",
                           "debug/ab/.debug",
                           "pack",
                           "manifest.json/x",
                           "debug/abc/de.debug"})
    CHECK_FALSE_MESSAGE(valid_pack_name(name), name);
  CHECK_FALSE(valid_pack_name(std::string("manifest.json\0", 14)));
  CHECK_FALSE(valid_pack_name("debug/ab/" + std::string(100, 'a') + ".debug"));
}

TEST_CASE("a list may not promise the impossible") {
  const samples::TemporaryDirectory dir;
  const std::string head = "tmrec-pack 1\n", manifest = "2 manifest.json\n";
  const auto refuses = [&](const std::string& list, const std::string& why) {
    check_refused(unpack(compressed(archive_with_list(list)), dir.path()), why);
    CHECK(fs::is_empty(dir.path()));
  };
  refuses("", "list");
  refuses("tmrec-pack 2\n" + manifest, "newer");
  refuses(head, "no manifest");
  refuses(head + manifest + "1 ../../evil\n", "no trace has");
  refuses(head + manifest + "1 /etc/evil\n", "no trace has");
  refuses(head + manifest + manifest, "twice");
  refuses(head + manifest + "18446744073709551615 log/000001\n", "impossible");
  refuses(head + manifest + "9223372036854775807 log/000001\n", "impossible");
  refuses(head + manifest + "99999999999999999999 log/000001\n", "line");
  for (const char* line : {"x manifest.json\n", "-1 manifest.json\n", "1\n", "\n", "1 manifest.json"})
    refuses(head + line, "line");
}

TEST_CASE("files come as listed, and nothing else does") {
  const std::string list = "tmrec-pack 1\n2 manifest.json\n";
  const auto refuses = [&](const std::string& name, char type, const std::string& content) {
    const samples::TemporaryDirectory dir;
    Bytes archive = archive_with_list(list);
    append(archive, name, type, content);
    archive.resize(archive.size() + 2 * pack::kBlock);
    check_refused(unpack(compressed(archive), dir.path()));
  };
  refuses("manifest.json", '2', "{}");  // a link
  refuses("manifest.json", pack::kRegular, "{ }");
  refuses("../manifest.json", pack::kRegular, "{}");
  const samples::TemporaryDirectory dir;
  Bytes archive = archive_with_list(list);
  append(archive, "manifest.json", pack::kRegular, "{}");
  archive.resize(archive.size() + 2 * pack::kBlock);
  CHECK(unpack(compressed(archive), dir.path()));
  const samples::TemporaryDirectory another;
  archive.push_back(0);
  check_refused(unpack(compressed(archive), another.path()), "goes on");
}

TEST_CASE("a pack that is cut off or has something behind it is damaged") {
  const auto files = some_files();
  const Bytes pack = packed(files);
  for (std::size_t size = 0; size < pack.size(); size += 1 + size / 7) {
    const samples::TemporaryDirectory dir;
    check_refused(unpack(Bytes(pack.begin(), pack.begin() + static_cast<std::ptrdiff_t>(size)), dir.path()));
  }
  for (const std::size_t missing : {1, 2, 3, 4, 5}) {
    const samples::TemporaryDirectory dir;
    check_refused(unpack(Bytes(pack.begin(), pack.end() - static_cast<std::ptrdiff_t>(missing)), dir.path()));
  }
  const samples::TemporaryDirectory dir;
  Bytes longer = pack;
  longer.push_back(0);
  check_refused(unpack(longer, dir.path()), "follows");
}

TEST_CASE("a flipped bit is noticed wherever it is") {
  std::vector<PackedFile> files{file_of("manifest.json", bytes_of("{}")), file_of(kBlob, Bytes(3000, 5))};
  const Bytes pack = packed(files);
  for (std::size_t bit = 0; bit < 8 * pack.size(); ++bit) {
    Bytes damaged = pack;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    const samples::TemporaryDirectory dir;
    const auto result = unpack(damaged, dir.path());
    // Some bits do not matter: the size of the window, or which of two equal places is copied.
    if (!result) check_refused(result);
    for (const PackedFile& file : files) {
      if (result) CHECK(samples::contents(dir.path() / file.name) == file.content);
    }
  }
}
