#include "tests/unit/patch/modules.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace tmrec::patch {

std::vector<std::string> modules() {
  std::vector<std::string> found;
  if (const char* list = std::getenv("TMREC_PATCH_MODULES")) {
    std::istringstream in(list);
    for (std::string path; std::getline(in, path, ':');) found.push_back(path);
    return found;
  }
  const std::string libraries = "/usr/lib/x86_64-linux-gnu/";
  for (const std::string& path : {libraries + "libc.so.6", libraries + "ld-linux-x86-64.so.2", libraries + "libz.so.1",
                                  libraries + "libm.so.6", libraries + "libcrypto.so.3", libraries + "libsqlite3.so.0",
                                  libraries + "libstdc++.so.6", std::string("/bin/bash"), std::string("/usr/bin/perl"),
                                  std::string("/usr/bin/python3.11"), std::string("/usr/lib/go-1.19/bin/gofmt"),
                                  std::string("/usr/sbin/nginx"), std::string("/usr/bin/redis-server")}) {
    if (std::filesystem::exists(path)) found.push_back(path);
  }
  return found;
}

std::vector<std::uint8_t> contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace tmrec::patch
