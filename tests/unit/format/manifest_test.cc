#include "format/manifest.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/unit/format/samples.h"

using namespace tmrec;
namespace fs = std::filesystem;

namespace {

std::string text_of(const Manifest& manifest) {
  const samples::TemporaryDirectory dir;
  const auto saved = manifest.save(dir.path());
  REQUIRE_MESSAGE(saved, saved.error().text);
  const Bytes bytes = samples::contents(dir.path() / "manifest.json");
  return {bytes.begin(), bytes.end()};
}

void check_bad(const std::string& json, const std::string& part) {
  const auto manifest = Manifest::parse(json, "T/manifest.json");
  REQUIRE_FALSE(manifest);
  CHECK(manifest.error().kind == ErrorKind::BadTrace);
  CHECK_MESSAGE(manifest.error().text.find(part) != std::string::npos, manifest.error().text);
  CHECK(manifest.error().text.starts_with("T/manifest.json: "));
  CHECK(manifest.error().text.find('\n') == std::string::npos);
}

}  // namespace

TEST_CASE("a manifest is saved privately, replaced at once, and loaded again") {
  const samples::TemporaryDirectory dir;
  Manifest manifest = samples::manifest();
  manifest.complete = false;
  REQUIRE(manifest.save(dir.path()));
  manifest.complete = true;
  REQUIRE(manifest.save(dir.path()));
  const auto loaded = Manifest::load(dir.path());
  REQUIRE_MESSAGE(loaded, loaded.error().text);
  CHECK(*loaded == manifest);
  CHECK(static_cast<unsigned>(fs::status(dir.path() / "manifest.json").permissions()) == 0600);
  CHECK(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("a manifest that can't be saved is an error with its path") {
  const auto saved = samples::manifest().save("/nonexistent");
  REQUIRE_FALSE(saved);
  CHECK(saved.error().text.starts_with("/nonexistent/manifest.json"));
}

TEST_CASE("a directory without a manifest is no trace") {
  const samples::TemporaryDirectory dir;
  for (const fs::path& path : {dir.path(), dir.path() / "missing", fs::path("/dev/null")}) {
    const auto manifest = Manifest::load(path);
    REQUIRE_FALSE(manifest);
    CHECK(manifest.error().kind == ErrorKind::BadTrace);
    CHECK(manifest.error().text == path.string() + ": not a tmrec trace");
  }
  fs::create_directory(dir.path() / "manifest.json");
  CHECK_FALSE(Manifest::load(dir.path()));
}

TEST_CASE("a newer trace asks for a newer tmrec, whatever else it holds") {
  check_bad(R"({"tmrec_trace": {"format_version": 7, "other": []}})",
            fmt::format("trace of a newer version 7; this tmrec reads up to {}: install a newer tmrec", kTraceVersion));
  check_bad(R"({"tmrec_trace": {"format_version": 0}})", "version 0");
}

TEST_CASE("damaged manifests are errors") {
  for (const char* json :
       {"", "{", "{}", "[]", "null", "1", "\"x\"", "[1]", R"({"tmrec_trace": 1})", R"({"tmrec_trace": []})",
        R"({"tmrec_trace": {"format_version": "1"}})", R"({"tmrec_trace": {"format_version": -1}})",
        R"({"tmrec_trace": {"format_version": 1e99}})", "0e124", R"({"tmrec_trace": {"format_version": 1.0}})", "\"\\",
        R"({"tmrec_trace": {"format_version": 1}})"}) {
    CAPTURE(json);
    check_bad(json, "damaged manifest");
  }
  check_bad(std::string(1'000'000, '['), "not a manifest");
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += "{\"a\":";
  check_bad(nested, "not a manifest");
}

TEST_CASE("a manifest cut anywhere, or with any byte changed, never crashes") {
  const std::string json = text_of(samples::manifest());
  const std::size_t end = json.find_last_of('}');
  for (std::size_t n = 0; n < end; ++n) CHECK_FALSE(Manifest::parse(json.substr(0, n), "m"));
  for (std::size_t i = 0; i < json.size(); ++i) {
    for (const char c : {'\0', '"', '[', '}', '-', '9', '\\', '\xff'}) {
      std::string damaged = json;
      damaged[i] = c;
      if (const auto manifest = Manifest::parse(damaged, "m"); !manifest)
        CHECK(manifest.error().kind == ErrorKind::BadTrace);
    }
  }
}

TEST_CASE("a field of the wrong type or missing is an error") {
  const std::string json = text_of(samples::manifest());
  for (const char* field : {"command", "cpu", "pid", "complete", "events", "refused", "blob_root", "xsave", "what"}) {
    CAPTURE(field);
    const std::size_t at = json.find('"' + std::string(field) + '"');
    REQUIRE(at != std::string::npos);
    std::string renamed = json;
    renamed[at + 1] = '?';
    check_bad(renamed, "damaged manifest");
    std::string retyped = json;
    retyped.insert(json.find(':', at) + 1, " null, \"ignored\":");
    check_bad(retyped, "damaged manifest");
  }
}

TEST_CASE("the moment of the start is exact, and to the second in older manifests") {
  Manifest m = samples::manifest();
  m.created = 1'700'000'000;
  m.created_fraction_ns = 123'456'789;
  CHECK(m.began_ns() == 1'700'000'000'123'456'789);
  std::string json = text_of(m);
  CHECK(Manifest::parse(json, "m")->began_ns() == m.began_ns());
  const std::size_t at = json.find("created_fraction_ns");
  REQUIRE(at != std::string::npos);
  json[at] = '?';
  CHECK(Manifest::parse(json, "m")->began_ns() == 1'700'000'000'000'000'000);
}

TEST_CASE("tallies add up") {
  std::vector<Tally> list;
  tally(list, "rdtsc");
  tally(list, "cpuid", 4);
  tally(list, "rdtsc", 2);
  CHECK(list == std::vector<Tally>{{"rdtsc", 3}, {"cpuid", 4}});
}

TEST_CASE("the machine describes itself") {
  const Manifest m = Manifest::of_this_machine();
  CHECK(m.created > 1'600'000'000);
  CHECK_FALSE(m.kernel.empty());
  CHECK(m.cpu.vendor.size() == 12);
  CHECK((m.cpu.xcr0 & 3) == 3);
  CHECK(m.cpu.xsave_size >= 576);
  for (const XsaveComponent& c : m.cpu.xsave) CHECK(c.offset + c.size <= m.cpu.xsave_size);
}
