#include "format/manifest.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cereal/archives/json.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <ctime>
#include <sstream>

#include "format/file_io.h"

namespace tmrec {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMaxSize = std::uint64_t{16} << 20;  // a command line alone may have 6 MiB (execve(2))
constexpr int kMaxDepth = 16;

// What must not reach cereal's JSON parser, looked for outside of strings. It calls itself for every nesting, so a file
// of brackets would exhaust the stack; and rapidjson 1.1.0 counts the leading zeros of 0 for a number like 0e1, which
// is undefined. A manifest holds neither. Null: nothing found.
const char* unparsable(const std::string& json) {
  int depth = 0;
  bool quoted = false;
  char before = 0;
  for (std::size_t i = 0; i < json.size(); before = json[i++]) {
    const char c = json[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return "not a manifest of a trace";
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == '.' || ((c == 'e' || c == 'E') && before >= '0' && before <= '9')) {
      return "damaged manifest";
    }
  }
  return nullptr;
}

}  // namespace

#define FIELD(name) cereal::make_nvp(#name, v.name)

template <class A>
void serialize(A& ar, Tally& v) {
  ar(FIELD(what), FIELD(count));
}
template <class A>
void serialize(A& ar, XsaveComponent& v) {
  ar(FIELD(number), FIELD(offset), FIELD(size));
}
template <class A>
void serialize(A& ar, CpuInfo& v) {
  ar(FIELD(vendor), FIELD(model), FIELD(features), FIELD(xcr0), FIELD(xsave_size), FIELD(xsave));
}
template <class A>
void serialize(A& ar, Manifest& v) {
  ar(FIELD(format_version), FIELD(tmrec_version), FIELD(created), FIELD(hostname), FIELD(kernel), FIELD(cpu));
  ar(FIELD(command), FIELD(program), FIELD(cwd), FIELD(uid), cereal::make_nvp("pid", v.pid.value));
  ar(FIELD(tick_source), FIELD(agent_abi), FIELD(check_every), FIELD(seed), FIELD(blob_root), FIELD(cpu_number),
     FIELD(cpuid_trapped), FIELD(chaos), FIELD(longest_without_tick_ns));
  ar(FIELD(complete), FIELD(end_reason), FIELD(exit_status), FIELD(events), FIELD(duration_ns), FIELD(refused),
     FIELD(notes));
  // Fields that came later are missing in older manifests.
  if constexpr (A::is_saving::value) {
    ar(FIELD(created_fraction_ns), FIELD(first_event), FIELD(starts), FIELD(longest_start_ms), FIELD(attach_us),
       FIELD(let_go_us));
  }
}

#undef FIELD

void tally(std::vector<Tally>& list, const std::string& what, std::uint64_t n) {
  const auto it = std::ranges::find(list, what, &Tally::what);
  if (it != list.end()) {
    it->count += n;
  } else {
    list.push_back({what, n});
  }
}

void Manifest::begin_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  created = now.tv_sec;
  created_fraction_ns = static_cast<std::uint32_t>(now.tv_nsec);
}

Manifest Manifest::of_this_machine() {
  Manifest m;
  m.begin_now();
  utsname names{};
  if (::uname(&names) == 0) {
    m.hostname = names.nodename;
    m.kernel = names.release;
  }
  m.cpu = current_cpu();
  m.uid = ::getuid();
  return m;
}

std::string Manifest::json() const {
  std::ostringstream text;
  {
    cereal::JSONOutputArchive ar(
        text, cereal::JSONOutputArchive::Options(15, cereal::JSONOutputArchive::Options::IndentChar::space, 2));
    // One function describes both directions, so it takes its argument by a reference that is not const.
    ar(cereal::make_nvp("tmrec_trace", const_cast<Manifest&>(*this)));
  }
  return std::move(text).str() + "\n";
}

Result<void> Manifest::save(const fs::path& trace_dir) const {
  const std::string text = json();
  return write_whole(trace_dir / "manifest.json", {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

namespace {

// 0: the manifest does not have it, or it is not up to `most`.
std::uint64_t later_field(const std::string& json, const char* name, std::uint64_t most = ~std::uint64_t{0}) {
  struct Field {
    const char* name;
    std::uint64_t value = 0;
    void serialize(cereal::JSONInputArchive& ar) { ar(cereal::make_nvp(name, value)); }
  } field{name};
  try {
    std::istringstream text(json);
    cereal::JSONInputArchive ar(text);
    ar(cereal::make_nvp("tmrec_trace", field));
  } catch (const std::exception&) {
    return 0;
  }
  return field.value <= most ? field.value : 0;
}

}  // namespace

Result<Manifest> Manifest::parse(const std::string& json, const std::string& name) {
  const auto bad = [&](const std::string& what) { return fail(ErrorKind::BadTrace, name + ": " + what); };
  if (const char* why = unparsable(json)) return bad(why);
  try {
    struct Version {
      std::uint32_t format_version = 0;
      void serialize(cereal::JSONInputArchive& ar) { ar(cereal::make_nvp("format_version", format_version)); }
    } version;
    std::istringstream first(json);
    cereal::JSONInputArchive peek(first);
    peek(cereal::make_nvp("tmrec_trace", version));
    if (version.format_version > kTraceVersion)
      return bad(fmt::format("trace of a newer version {}; this tmrec reads up to {}: install a newer tmrec",
                             version.format_version, kTraceVersion));
    if (version.format_version == 0) return bad("trace of the impossible version 0");

    Manifest manifest;
    std::istringstream second(json);
    cereal::JSONInputArchive ar(second);
    ar(cereal::make_nvp("tmrec_trace", manifest));
    manifest.created_fraction_ns = static_cast<std::uint32_t>(later_field(json, "created_fraction_ns", 999'999'999));
    manifest.first_event = std::max<std::uint64_t>(later_field(json, "first_event"), 1);
    manifest.starts = later_field(json, "starts");
    manifest.longest_start_ms = later_field(json, "longest_start_ms");
    manifest.attach_us = later_field(json, "attach_us");
    manifest.let_go_us = later_field(json, "let_go_us");
    return manifest;
  } catch (const std::exception&) {
    // cereal's words quote its source and mean nothing to the reader of a trace.
    return bad("damaged manifest");
  }
}

Result<Manifest> Manifest::load(const fs::path& trace_dir) {
  const fs::path path = trace_dir / "manifest.json";
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0 && (errno == ENOENT || errno == ENOTDIR))
    return fail(ErrorKind::BadTrace, trace_dir.string() + ": not a tmrec trace");
  TMREC_TRY(const Bytes bytes, read_whole(path, kMaxSize, ErrorKind::BadTrace));
  return parse(std::string(bytes.begin(), bytes.end()), path.string());
}

}  // namespace tmrec
