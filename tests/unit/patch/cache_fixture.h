// What the tests of the plan cache share.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <xxhash.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/unit/patch/modules.h"
#include "tracee/plan_store.h"

namespace tmrec::tracee {

inline constexpr const char* kSmallModule = "/usr/lib/x86_64-linux-gnu/libz.so.1";

// Removed with all it holds.
struct CacheDirectory {
  CacheDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "tmrec-plans-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path = name;
  }
  ~CacheDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  CacheDirectory(const CacheDirectory&) = delete;
  CacheDirectory& operator=(const CacheDirectory&) = delete;
  std::filesystem::path path;
};

inline PlanKey key_of_bytes(patch::Bytes file, const patch::PlanOptions& options = {}) {
  const XXH128_hash_t hash = XXH3_128bits(file.data(), file.size());
  return {fmt::format("{:016x}{:016x}", hash.high64, hash.low64), options};
}

inline PlanKey key_of(const std::string& path, const patch::PlanOptions& options = {}) {
  return key_of_bytes(patch::contents(path), options);
}

inline std::string text_in(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace tmrec::tracee
