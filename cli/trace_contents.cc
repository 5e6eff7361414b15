#include "cli/trace_contents.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "cli/blob_use.h"
#include "cli/debug_files.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

// nullopt: not a regular file.
std::optional<PackedFile> file_at(const fs::path& path, std::string name) {
  std::error_code error;
  if (!fs::is_regular_file(fs::symlink_status(path, error))) return std::nullopt;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) return std::nullopt;
  return PackedFile{std::move(name), size, path, {}};
}

// Files of a directory that a pack can hold under `prefix`.
Result<std::vector<PackedFile>> files_in(const fs::path& directory, const std::string& prefix) {
  std::vector<PackedFile> files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = prefix + entry->path().filename().string();
    auto file = valid_pack_name(name) ? file_at(entry->path(), name) : std::nullopt;
    if (file) files.push_back(std::move(*file));
  }
  if (error) return fail(ErrorKind::BadTrace, "cannot read " + directory.string() + ": " + error.message());
  std::ranges::sort(files, {}, &PackedFile::name);
  return files;
}

std::vector<PackedFile> debug_files_of(const fs::path& trace, const std::vector<PackedFile>& blobs) {
  std::map<std::string, PackedFile> found;  // programs built twice may have one build id
  for (const PackedFile& blob : blobs) {
    const auto id = build_id_of(blob.from);
    if (!id) continue;
    const std::string name = "debug/" + debug_name(*id);
    auto file = valid_pack_name(name) ? file_at(trace / name, name) : std::nullopt;
    if (const auto installed = file ? std::nullopt : installed_debug_file(*id)) {
      std::error_code error;
      file = file_at(fs::canonical(*installed, error), name);
    }
    if (file) found.emplace(name, std::move(*file));
  }
  std::vector<PackedFile> files;
  for (auto& [name, file] : found) files.push_back(std::move(file));
  return files;
}

}  // namespace

Result<TraceContents> contents_of(const fs::path& trace, const fs::path& blobs, bool with_debug) {
  TraceContents contents;
  TMREC_TRY(contents.log, files_in(trace / "log", "log/"));
  TMREC_TRY(contents.snapshots, files_in(trace, ""));
  std::erase_if(contents.snapshots, [](const PackedFile& file) { return file.name == "manifest.json"; });
  TMREC_TRY(const std::set<std::string> used, blobs_used_by(trace));
  for (const std::string& id : used) {
    auto blob = file_at(blobs / id, "blobs/" + id);
    if (blob) {
      contents.blobs.push_back(std::move(*blob));
    } else {
      contents.missing.push_back((blobs / id).string());
    }
  }
  if (with_debug) contents.debug = debug_files_of(trace, contents.blobs);
  return contents;
}

Amount amount_of(const std::vector<PackedFile>& files) {
  Amount amount;
  for (const PackedFile& file : files) {
    ++amount.files;
    amount.bytes += file.size;
  }
  return amount;
}

}  // namespace tmrec::cli
