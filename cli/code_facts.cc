#include "cli/code_facts.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "format/blob_store.h"
#include "format/file_io.h"
#include "format/log.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

using patch::SiteKind;

constexpr std::uint64_t kLargestPlan = std::uint64_t{4} << 30;

Places& places_of(ModuleFacts& module, SiteKind kind) {
  switch (kind) {
    case SiteKind::BackwardBranch:
      return module.back_edges;
    case SiteKind::IndirectJump:
      return module.indirect_jumps;
    case SiteKind::Call:
      return module.calls;
    default:
      return module.special;
  }
}

// Follows the events of a log, in their order.
class Follower {
 public:
  explicit Follower(const fs::path& blobs) : blobs_(BlobStore::open(blobs)) {}

  Result<void> follow(const Event& event) {
    const std::int32_t tid = event.tid.value;
    const bool begins = std::exchange(begins_, false);
    if (const auto* start = std::get_if<StartEvent>(&event.body)) return begins ? follow(*start) : Result<void>{};
    if (std::holds_alternative<TickEvent>(event.body)) {
      ++facts_.stops;
      at_tick_.insert(tid);
    } else if (const auto* change = std::get_if<SwitchEvent>(&event.body)) {
      if (at_tick_.contains(tid) && change->reason == SwitchEvent::Reason::SliceEnd) ++facts_.preemptions;
    } else {
      const bool computing = at_tick_.erase(tid) != 0;
      if (const auto* signal = std::get_if<SignalEvent>(&event.body)) {
        if (computing && !signal->synchronous && signal->action == SignalEvent::Action::Handler) ++facts_.signals;
      }
      if (const auto* patched = std::get_if<PatchEvent>(&event.body)) return follow(*patched);
    }
    return {};
  }

  CodeFacts facts() && { return std::move(facts_); }

 private:
  // What was patched before the log begins.
  Result<void> follow(const StartEvent& event) {
    for (const StartEvent::Process& process : event.processes) {
      for (const StartEvent::Module& module : process.modules) {
        TMREC_CHECKED(
            follow(PatchEvent{PatchEvent::Kind::Applied, module.text, module.block, module.plan, module.module}));
      }
    }
    return {};
  }

  Result<void> follow(const PatchEvent& event) {
    if (event.kind == PatchEvent::Kind::Undone) ++facts_.undone;
    if (event.kind != PatchEvent::Kind::Applied) return {};
    auto [known, fresh] = index_.try_emplace(event.plan.hex, facts_.modules.size());
    if (fresh) {
      TMREC_TRY(ModuleFacts module, read(event));
      facts_.modules.push_back(std::move(module));
    }
    ++facts_.modules[known->second].address_spaces;
    return {};
  }

  Result<ModuleFacts> read(const PatchEvent& event) {
    if (!BlobStore::valid(event.plan)) return fail(ErrorKind::BadTrace, "a patch without its plan");
    TMREC_TRY(const int fd, blobs_.open_verified(event.plan));
    const Fd file(fd);
    struct stat status {};
    if (::fstat(fd, &status) != 0 || static_cast<std::uint64_t>(status.st_size) > kLargestPlan) {
      return fail(ErrorKind::BadTrace, fmt::format("{}: not a plan", blobs_.path_of(event.plan).string()));
    }
    Bytes bytes(static_cast<std::size_t>(status.st_size));
    if (read_at(fd, 0, bytes) != status.st_size) {
      return fail(ErrorKind::BadTrace, fmt::format("{}: cannot be read", blobs_.path_of(event.plan).string()));
    }
    auto plan = patch::Plan::decode(bytes);
    if (!plan) {
      return fail(ErrorKind::BadTrace, fmt::format("{}: {}", blobs_.path_of(event.plan).string(), plan.error().text));
    }
    ModuleFacts module;
    module.name = event.module;
    module.plan = event.plan.hex;
    module.text_bytes = plan->text_size;
    module.trampoline_bytes = plan->block.size();
    for (const patch::Site& site : plan->sites) {
      Places& places = places_of(module, site.kind);
      ++places.all;
      places.left_alone += site.method == patch::Method::None;
      ++module.by_method[static_cast<std::size_t>(site.method)];
    }
    return module;
  }

  bool begins_ = true;
  BlobStore blobs_;
  CodeFacts facts_;
  std::unordered_map<std::string, std::size_t> index_;  // by plan, into facts_.modules
  std::unordered_set<std::int32_t> at_tick_;            // tasks that stand there
};

}  // namespace

Result<CodeFacts> code_facts(const fs::path& trace, const fs::path& blobs) {
  TMREC_TRY(LogReader reader, LogReader::open(trace));
  Follower follower(blobs);
  for (;;) {
    TMREC_TRY(const std::optional<Event> event, reader.next());
    if (!event) return std::move(follower).facts();
    TMREC_CHECKED(follower.follow(*event));
  }
}

}  // namespace tmrec::cli
