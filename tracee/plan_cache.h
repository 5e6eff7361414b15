// The patch plans of a recording: each is made once per module and options, by whoever comes first, and remembered in
// memory and on disk (plan_store.h).
//
// Problem: planning takes 40 ms per MiB of code, and a recorded program's first instruction waits for it. The recorder
// is a single thread of fibers with small stacks, timers and ptrace.
// Solution: all planning is done by threads of the cache's own, with every signal blocked, on all the CPUs that the
// cache was opened with (the recorder confines itself to one). They only compute and write files. The caller waits for
// what it needs; what it can foresee it has prepared meanwhile.
// Rejected: planning on the caller's stack (too small, and nobody could tell the user how long it takes); a process
// (its result would have to be copied, and the recorder's waitpid would see it).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tracee/module_image.h"
#include "tracee/plan_store.h"

namespace tmrec::tracee {

// In bytes of encoded plans.
struct PlanCacheLimits {
  std::uint64_t disk = std::uint64_t{1} << 30;      // and of images
  std::uint64_t memory = std::uint64_t{256} << 20;  // beyond this, plans that only the cache holds are dropped
};

// Any thread may use one PlanCache. Nothing may be waiting in find_or_make when it is destroyed; planning that has
// begun is then waited for.
class PlanCache {
 public:
  // `directory` empty or unusable: memory only. The threads run on the CPUs that the caller may use now.
  static PlanCache open(const std::filesystem::path& directory, const PlanCacheLimits& limits = {});
  PlanCache(PlanCache&&) noexcept;
  PlanCache& operator=(PlanCache&&) noexcept;
  ~PlanCache();

  // $TMREC_CACHE_DIR, else $XDG_CACHE_HOME/tmrec, else $HOME/.cache/tmrec, else empty. Relative values of the last two
  // are ignored, as the XDG Base Directory Specification asks.
  static std::filesystem::path default_directory();

  // Called once, with the name of the module it is about, when callers have waited for a second in all; on the thread
  // of the caller, from inside find_or_make. It may not throw.
  void set_on_wait(std::function<void(const std::string& module)> on_wait);

  // `file` holds the module's bytes; looked at only when nothing is known, and not kept. `name` is for on_wait.
  // Error: the module cannot be patched (remembered, too), or `file` is not what the key says (not remembered).
  PlanOutcome find_or_make(const PlanKey& key, patch::Bytes file, std::string_view name);

  // Starts planning these, in this order, and making their images, or verifying what the disk has, so that find_or_make
  // has less to wait for. What is in memory already is left alone. A file that cannot be read, or that is not what its
  // key says, is left to find_or_make.
  struct Module {
    PlanKey key;
    std::filesystem::path path;
    std::string name = {};  // of the image; empty: none is wanted
  };
  void prepare(const std::vector<Module>& modules);

  // The patched module under this file name, made from what `path` holds if the disk has none. Null: there is none, and
  // will be none.
  std::shared_ptr<const ModuleImage> image(const std::shared_ptr<const EncodedPlan>& plan,
                                           const std::filesystem::path& path, const std::string& name);

 private:
  struct Impl;
  explicit PlanCache(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace tmrec::tracee
