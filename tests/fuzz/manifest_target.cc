#include "format/manifest.h"

#include "tests/fuzz/target.h"
#include "tests/unit/format/samples.h"

namespace tmrec::fuzz {

namespace {

void run(std::span<const std::uint8_t> input) {
  const auto manifest = Manifest::parse(std::string(input.begin(), input.end()), "manifest.json");
  if (manifest) return;
  require(manifest.error().kind == ErrorKind::BadTrace, "a damaged manifest is a bad trace");
  require(manifest.error().text.starts_with("manifest.json: "), "errors name the file");
  require(manifest.error().text.find('\n') == std::string::npos, "an error is one line");
}

std::vector<Bytes> seeds() {
  const samples::TemporaryDirectory dir;
  require(samples::manifest().save(dir.path()).has_value(), "a manifest can be saved");
  return {samples::contents(dir.path() / "manifest.json")};
}

}  // namespace

const Target manifest_target{"manifest", run, seeds};

}  // namespace tmrec::fuzz
