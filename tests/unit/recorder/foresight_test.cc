#include "recorder/foresight.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "elf_file.h"
#include "recorder/plan_choice.h"

using namespace tmrec;
using namespace tmrec::recorder;
namespace fs = std::filesystem;

namespace {

std::optional<ElfNeeds> needs_of(const std::string& file) {
  return read_elf_needs([&](std::uint64_t offset, std::span<std::uint8_t> into) {
    if (offset > file.size() || into.size() > file.size() - offset) return false;
    std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return true;
  });
}

using Strings = std::vector<std::string>;

// A program's root directory with files in it.
struct Root {
  fs::path path;
  Root() {
    std::string name = (fs::temp_directory_path() / "tmrec-foresight-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Root() { fs::remove_all(path); }

  void put(const std::string& name, const ElfFile& file) const { put(name, file.bytes()); }
  void put(const std::string& name, const std::string& bytes) const {
    fs::create_directories((path / name.substr(1)).parent_path());
    std::ofstream(path / name.substr(1), std::ios::binary) << bytes;
  }
  void link(const std::string& name, const std::string& target) const {
    fs::create_directories((path / name.substr(1)).parent_path());
    fs::create_symlink(target, path / name.substr(1));
  }

  Strings foresee(Foresight& foresight, const std::string& program, const Strings& library_path = {},
                  const Strings& preloaded = {}) const {
    Surroundings in{Fd(open(path.c_str(), O_PATH | O_DIRECTORY)), program, library_path, preloaded};
    const Fd executable(open((path / program.substr(1)).c_str(), O_RDONLY));
    REQUIRE(executable);
    Strings found;
    foresight.foresee(in, executable.get(), [&](const Foresight::File& file) {
      CHECK(file.is_executable == (file.path == program));
      CHECK(fcntl(file.fd, F_GETFD) >= 0);
      found.push_back(file.path);
    });
    return found;
  }
  Strings foresee(const std::string& program, const Strings& library_path = {}, const Strings& preloaded = {}) const {
    Foresight foresight;
    return foresee(foresight, program, library_path, preloaded);
  }
};

}  // namespace

TEST_CASE("what a file needs is read") {
  const ElfFile file{"/lib64/ld.so", {{DT_NEEDED, "liba.so"}, {DT_NEEDED, "libb.so"}, {DT_RUNPATH, "$ORIGIN:/x"}}};
  const auto needs = needs_of(file.bytes());
  REQUIRE(needs);
  CHECK(needs->interpreter == "/lib64/ld.so");
  CHECK(needs->libraries == Strings{"liba.so", "libb.so"});
  CHECK(needs->runpath == "$ORIGIN:/x");
  CHECK(needs->rpath.empty());
  CHECK(needs->text_size == 0x40);
}

TEST_CASE("files that are no modules need nothing") {
  CHECK(!needs_of(""));
  CHECK(!needs_of("#!/bin/sh\n"));
  CHECK(!needs_of(std::string("\177ELF\2\1", 6)));
  std::string other = ElfFile{}.bytes();
  other[18] = EM_386;
  CHECK(!needs_of(other));
}

TEST_CASE("this program's own file needs libc") {
  const Fd self(open("/proc/self/exe", O_RDONLY));
  const auto needs = read_elf_needs([&](std::uint64_t offset, std::span<std::uint8_t> into) {
    return read_at(self.get(), offset, into) == static_cast<std::int64_t>(into.size());
  });
  REQUIRE(needs);
  CHECK(std::ranges::count(needs->libraries, "libc.so.6") == 1);
  CHECK(needs->interpreter.starts_with("/lib"));
}

TEST_CASE("damaged files are survived") {
  const std::string good =
      ElfFile{"/lib/ld.so", {{DT_NEEDED, "liba.so"}, {DT_RPATH, "/r"}, {DT_NEEDED, "libb.so"}}}.bytes();
  for (std::size_t size = 0; size < good.size(); ++size) needs_of(good.substr(0, size));
  std::mt19937_64 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string bad = good;
    for (int i = 0; i < 4; ++i) bad[random() % bad.size()] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    const auto needs = needs_of(bad);
    if (!needs) continue;
    for (const std::string& name : needs->libraries) CHECK(name.size() <= 4096);
  }
}

TEST_CASE("the whole tree is found, each file once") {
  const Root root;
  root.put("/bin/prog", ElfFile{"/lib64/ld.so", {{DT_NEEDED, "liba.so"}, {DT_NEEDED, "libc.so"}}});
  root.put("/lib64/ld.so", ElfFile{});
  root.put("/usr/lib/liba.so", ElfFile{"", {{DT_NEEDED, "libb.so"}, {DT_NEEDED, "libc.so"}}});
  root.put("/lib/libb.so", ElfFile{"", {{DT_NEEDED, "liba.so"}, {DT_NEEDED, "missing.so"}}});
  root.put("/usr/lib/x86_64-linux-gnu/libc.so", ElfFile{"", {{DT_NEEDED, "ld.so"}}});
  Foresight foresight;
  const Strings all{"/bin/prog", "/lib64/ld.so", "/usr/lib/liba.so", "/usr/lib/x86_64-linux-gnu/libc.so",
                    "/lib/libb.so"};
  CHECK(root.foresee(foresight, "/bin/prog") == all);
  CHECK(root.foresee(foresight, "/bin/prog").empty());
  root.put("/bin/other", ElfFile{"", {{DT_NEEDED, "libc.so"}, {DT_NEEDED, "libd.so"}}});
  root.put("/lib/libd.so", ElfFile{});
  CHECK(root.foresee(foresight, "/bin/other") == Strings{"/bin/other", "/lib/libd.so"});
}

TEST_CASE("search paths are followed in their order") {
  const Root root;
  for (const char* place : {"/opt/run/", "/opt/lib/", "/env/", "/usr/lib/"}) {
    root.put(place + std::string("liba.so"), ElfFile{});
  }
  root.put("/opt/bin/run", ElfFile{"", {{DT_NEEDED, "liba.so"}, {DT_RUNPATH, "/none:$ORIGIN/../run"}}});
  root.put("/opt/bin/old", ElfFile{"", {{DT_NEEDED, "liba.so"}, {DT_RPATH, "${ORIGIN}/../lib"}}});
  root.put("/opt/bin/plain", ElfFile{"", {{DT_NEEDED, "liba.so"}}});
  root.put("/opt/bin/direct", ElfFile{"", {{DT_NEEDED, "/opt/lib/liba.so"}}});
  CHECK(root.foresee("/opt/bin/run").back() == "/opt/bin/../run/liba.so");
  CHECK(root.foresee("/opt/bin/run", {"/env"}).back() == "/env/liba.so");
  CHECK(root.foresee("/opt/bin/old", {"/env"}).back() == "/opt/bin/../lib/liba.so");
  CHECK(root.foresee("/opt/bin/plain", {"/env"}).back() == "/env/liba.so");
  CHECK(root.foresee("/opt/bin/plain").back() == "/usr/lib/liba.so");
  CHECK(root.foresee("/opt/bin/direct").back() == "/opt/lib/liba.so");
  CHECK(root.foresee("/opt/bin/plain", {}, {"/opt/run/liba.so"}) ==
        Strings{"/opt/bin/plain", "/opt/run/liba.so", "/usr/lib/liba.so"});
}

TEST_CASE("links stay below the program's root") {
  const Root root;
  root.put("/bin/prog", ElfFile{"", {{DT_NEEDED, "liba.so"}, {DT_NEEDED, "libc.so.6"}}});
  root.put("/real/liba.so.1", ElfFile{});
  root.link("/usr/lib/liba.so", "/real/liba.so.1");
  root.link("/usr/lib/libc.so.6", "/../../../../../../usr/lib/x86_64-linux-gnu/libc.so.6");
  CHECK(root.foresee("/bin/prog") == Strings{"/bin/prog", "/usr/lib/liba.so"});
}

TEST_CASE("neither pipes nor endless trees keep it") {
  const Root root;
  ElfFile wide;
  for (int i = 0; i < 1100; ++i) {
    const std::string name = "lib" + std::to_string(i) + ".so";
    wide.strings.emplace_back(DT_NEEDED, name);
    root.put("/lib/" + name, ElfFile{}.bytes() + name);
  }
  root.put("/bin/wide", wide);
  CHECK(root.foresee("/bin/wide").size() <= 512);
  root.put("/bin/prog", ElfFile{"", {{DT_NEEDED, "pipe"}, {DT_NEEDED, "."}, {DT_NEEDED, "/"}, {DT_NEEDED, "self"}}});
  REQUIRE(mkfifo((root.path / "lib/pipe").c_str(), 0600) == 0);
  root.link("/lib/self", "self");
  CHECK(root.foresee("/bin/prog") == Strings{"/bin/prog"});
}

TEST_CASE("the surroundings of this process") {
  const Surroundings in = Surroundings::of(getpid());
  CHECK(in.root);
  CHECK(in.executable.ends_with("/unit-recorder"));
}

TEST_CASE("large texts and low addresses have places of their own") {
  const RemoteAddr high(0x7f00'0000'0000), low(0x40'0000);
  CHECK(first_reach(high, 1 << 20) == reaches_at(high).front());
  CHECK(first_reach(low, 1 << 20) == patch::Reach::Above);
  CHECK(first_reach(high, 50 << 20) == patch::Reach::FarBelow);
  CHECK(first_reach(high, ~std::uint64_t{0}) == patch::Reach::Below);
  CHECK(plan_options(patch::Reach::Above, true, true).reach == patch::Reach::Above);
}
