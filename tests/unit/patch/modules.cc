#include "tests/unit/patch/modules.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace tmrec::patch {

namespace {

// Of Debian 12, by what they are made of.
constexpr const char* kModules[] = {
    // the C library and its family, with hand-written assembly
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    "/usr/lib/x86_64-linux-gnu/libm.so.6",
    "/usr/lib/x86_64-linux-musl/libc.so",
    "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
    "/usr/lib/x86_64-linux-gnu/libgmp.so.10",
    "/usr/lib/x86_64-linux-gnu/libnettle.so.8",
    "/usr/lib/x86_64-linux-gnu/libgcrypt.so.20",
    "/usr/lib/x86_64-linux-gnu/libffi.so.8",
    "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1",
    // compression: hot small loops
    "/usr/lib/x86_64-linux-gnu/libz.so.1",
    "/usr/lib/x86_64-linux-gnu/libzstd.so.1",
    "/usr/lib/x86_64-linux-gnu/liblzma.so.5",
    "/usr/lib/x86_64-linux-gnu/libbz2.so.1.0",
    // other C libraries
    "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0",
    "/usr/lib/x86_64-linux-gnu/libssl.so.3",
    "/usr/lib/x86_64-linux-gnu/libpcre2-8.so.0",
    "/usr/lib/x86_64-linux-gnu/libexpat.so.1",
    "/usr/lib/x86_64-linux-gnu/libreadline.so.8",
    "/usr/lib/x86_64-linux-gnu/libxml2.so.2",
    "/usr/lib/x86_64-linux-gnu/libglib-2.0.so.0",
    "/usr/lib/x86_64-linux-gnu/libcapstone.so.4",
    // C++
    "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
    "/usr/lib/x86_64-linux-gnu/libfmt.so.9",
    "/usr/lib/x86_64-linux-gnu/libicuuc.so.72",
    // programs, position-independent or not
    "/usr/bin/bash",
    "/usr/bin/dash",
    "/usr/bin/perl",
    "/usr/bin/python3.11",
    "/usr/sbin/nginx",
    "/usr/bin/redis-server",
    "/usr/bin/sqlite3",
    "/usr/bin/openssl",
    "/usr/bin/git",
    "/usr/bin/grep",
    "/usr/bin/sed",
    "/usr/bin/mawk",
    "/usr/bin/tar",
    "/usr/bin/zstd",
    // Go, stripped
    "/usr/lib/go-1.19/bin/gofmt",
};
static_assert(std::size(kModules) == 40);

std::vector<std::string> named(bool present) {
  std::vector<std::string> found;
  for (const char* path : kModules) {
    if (std::filesystem::exists(path) == present) found.emplace_back(path);
  }
  return found;
}

}  // namespace

std::vector<std::string> modules() {
  const char* list = std::getenv("TMREC_PATCH_MODULES");
  if (!list) return named(true);
  std::vector<std::string> found;
  std::istringstream in(list);
  for (std::string path; std::getline(in, path, ':');) found.push_back(path);
  return found;
}

std::vector<std::string> absent_modules() { return named(false); }

std::vector<std::uint8_t> contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace tmrec::patch
