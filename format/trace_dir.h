// The paths inside a trace directory.
//
//   manifest.json        format/manifest.h
//   snapshot-N-PID.core  format/core_file.h
//   log/NNNNNN           format/log.h
//   blobs/, debug/       in what was a pack (format/pack.h): what other traces have in a store that they share, and
//                        debug information of mapped files, by build id
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "format/result.h"
#include "format/types.h"

namespace tmrec {

class TraceDir {
 public:
  // Makes the directory, mode 0700, and missing parents likewise. Usage when `path` exists already.
  static Result<TraceDir> create(const std::filesystem::path& path);
  // BadTrace when `path` is missing or holds neither manifest nor log: "not a tmrec trace".
  static Result<TraceDir> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path manifest() const { return path_ / "manifest.json"; }
  std::filesystem::path log() const { return path_ / "log"; }

  // Name of the snapshot of `process` taken in front of `event`: what ExecEvent::snapshot holds.
  static std::string snapshot_name(EventNo event, Tid process);
  // Path of a snapshot by its name; BadTrace for a name that could lead out of the trace.
  Result<std::filesystem::path> snapshot(const std::string& name) const;

  // Makes all snapshots durable, before the manifest says that the recording is complete.
  Result<void> sync() const;

  // Where a pack has "/usr/lib/debug/.build-id/AB/CDEF.debug"; `name` is that without "/usr/lib/debug/", and without
  // "..". Only for opening without following links.
  std::filesystem::path debug_file(const std::string& name) const;

  // Resolves Manifest::blob_root.
  std::filesystem::path blob_root(const std::string& recorded) const;

 private:
  explicit TraceDir(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace tmrec
