// Patch plans on disk, one file per module and options: `<content>-<options>-v<version>.plan`, shared by all recordings
// of a user. Files have mode 0400, the directory 0700.
//
// Problem: planning a module takes up to seconds, reading 8 MB of plan into fresh memory still milliseconds; several
// tmrec processes write at once, disks fill up, files get damaged; and whoever can write a plan decides what code runs
// in the recorded program.
// Solution: an entry is written beside its place and renamed, verified by its checksum when it is read, and mapped
// instead of copied. A directory or file that anybody else could have written is not used. Whatever fails is as if
// nothing were there: a recording never fails because of its cache.
// Rejected: a lock file (a killed process leaves it behind; two writers of one entry write the same bytes); an index of
// uses (one more thing to be damaged: the files' times do); read(2), which costs more than all the rest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "format/file_io.h"
#include "format/result.h"
#include "tracee/patch/plan.h"

namespace tmrec::tracee {

struct PlanKey {
  std::string content;  // BlobId::hex of the module's file: 32 lower-case hexadecimal digits
  patch::PlanOptions options;
};

struct EncodedPlan {
  std::shared_ptr<const patch::Plan> plan;
  patch::Bytes encoded;                 // as Plan::encode gives it; lives as long as this object
  std::shared_ptr<const void> memory;   // where `encoded` lies
  std::string name = {};                // name_of its key: tells plans apart, which their addresses do not for ever
  BlobId id = {};                       // the hash of `encoded`
  std::shared_ptr<const Fd> file = {};  // the file it was read from, verified; null: none
};

// Error: the module cannot be patched; the text says why.
using PlanOutcome = Result<std::shared_ptr<const EncodedPlan>>;

struct ModuleImage;

// The key as a file name; differs between versions of the patcher and whenever any option does.
std::string name_of(const PlanKey& key);

// Any number of processes may use one directory at a time, and any thread one PlanStore.
class PlanStore {
 public:
  // Creates the directory and its parents when missing; `limit` in bytes. An empty path, or a directory that cannot be
  // made, is not ours, or that others can write to: a store that holds nothing and takes nothing.
  static PlanStore open(const std::filesystem::path& directory, std::uint64_t limit);

  bool usable() const { return static_cast<bool>(directory_); }
  // There is a file for it; it may yet turn out to be damaged.
  bool holds(const PlanKey& key) const;
  // What is stored, as used just now; nothing: missing or damaged.
  std::optional<PlanOutcome> find(const PlanKey& key) const;
  // Best effort. Then removes the entries used least recently until all fit the limit, and what killed processes left.
  void put(const PlanKey& key, const PlanOutcome& outcome) const;

  // The patched module (module_image.h), under a file name of its own. Null: none, or damaged.
  std::shared_ptr<const ModuleImage> find_image(const EncodedPlan& plan, const std::string& module) const;
  // Best effort, like put(). False: there is none.
  bool put_image(const EncodedPlan& plan, patch::Bytes file, const std::string& module) const;

 private:
  PlanStore(Fd directory, std::uint64_t limit, std::filesystem::path path = {})
      : directory_(std::move(directory)), limit_(limit), path_(std::move(path)) {}
  void sweep() const;

  Fd directory_;  // held open, so that what was verified is what is used
  std::uint64_t limit_;
  std::filesystem::path path_;  // as /proc/PID/maps shows it
};

}  // namespace tmrec::tracee
