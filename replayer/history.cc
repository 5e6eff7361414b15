#include "replayer/history.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <algorithm>

#include <cstring>
#include <filesystem>

#include "format/core_file.h"

namespace tmrec::replayer {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxName = 15;  // TASK_COMM_LEN, include/linux/sched.h

std::string file_name(const std::string& path) { return fs::path(path).filename().string().substr(0, kMaxName); }

// Since directories were merged into /usr, the same file has two names.
std::string merged(const std::string& path) {
  for (const char* old : {"/lib/", "/lib64/", "/bin/", "/sbin/"}) {
    if (path.starts_with(old)) return "/usr" + path;
  }
  return path;
}

std::optional<Tid> begins_with(const Event& event) {
  if (std::holds_alternative<ExecEvent>(event.body)) return event.tid;
  if (const auto* attach = std::get_if<AttachEvent>(&event.body)) return attach->process;
  const auto* start = std::get_if<StartEvent>(&event.body);
  if (start == nullptr || start->processes.empty()) return {};
  const auto lives = std::ranges::find(start->processes, start->first, &StartEvent::Process::process);
  return lives != start->processes.end() ? start->first : start->processes.front().process;
}

}  // namespace

void History::rename(Tid task, EventNo event, std::string name) { names_[task].emplace_back(event, std::move(name)); }

void History::add_file(const MapSource& source) {
  if (source.kind != MapSource::Kind::File || source.blob.hex.empty()) return;
  std::string path = source.path;
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  files_[path] = source.blob;
}

void History::note(const Event& event) {
  if (!first_) first_ = begins_with(event);
  if (const auto* exec = std::get_if<ExecEvent>(&event.body)) {
    images_[event.tid].push_back({event.no, exec->snapshot, exec->program});
    births_.emplace(event.tid, event.no);
    process_of_[event.tid] = event.tid;
    rename(event.tid, event.no, file_name(exec->program));
  } else if (const auto* attach = std::get_if<AttachEvent>(&event.body)) {
    images_[attach->process].push_back({event.no, attach->snapshot, attach->program});
    births_.emplace(attach->process, event.no);
    for (const AttachEvent::Thread& thread : attach->threads) {
      process_of_[thread.tid] = attach->process;
      rename(thread.tid, event.no, file_name(attach->program));
    }
  } else if (const auto* start = std::get_if<StartEvent>(&event.body)) {
    if (!images_.empty()) return;  // passed by
    for (const StartEvent::Process& process : start->processes) {
      images_[process.process].push_back({event.no, process.snapshot, process.program});
      births_.emplace(process.process, event.no);
      for (const StartEvent::Thread& thread : process.threads) {
        process_of_[thread.tid] = process.process;
        rename(thread.tid, event.no, file_name(process.program));
      }
    }
  } else if (const auto* clone = std::get_if<CloneEvent>(&event.body)) {
    rename(clone->child, event.no, name_of(event.tid, event.no));
    process_of_[clone->child] = clone->child_process;
    if (!(clone->child == clone->child_process)) return;
    births_[clone->child] = event.no;
    // A process forked from a thread has the program of the thread's process.
    const auto parent = process_of_.find(event.tid);
    const Image* image = parent == process_of_.end() ? nullptr : image_of(parent->second, event.no);
    if (image == nullptr) return;
    const Image inherited{event.no, image->snapshot, image->program};
    images_[clone->child].push_back(inherited);
  } else if (const auto* exit = std::get_if<ExitEvent>(&event.body)) {
    const auto of = process_of_.find(event.tid);
    if (exit->process_ended && of != process_of_.end()) ends_[of->second] = event.no;
  } else if (const auto* call = std::get_if<SyscallEvent>(&event.body)) {
    if (call->mapping) add_file(*call->mapping);
    const bool names = call->regs.orig_rax == SYS_prctl && call->regs.rdi == PR_SET_NAME;
    if (!names) return;
    for (const Extent& extent : call->extents) {
      if (!extent.input) continue;
      std::string name(extent.bytes.begin(), extent.bytes.end());
      rename(event.tid, event.no, name.substr(0, std::min(name.find('\0'), kMaxName)));
    }
  }
}

const History::Image* History::image_of(Tid process, EventNo after) const {
  const auto found = images_.find(process);
  if (found == images_.end()) return nullptr;
  const Image* last = nullptr;
  for (const Image& image : found->second) {
    if (image.since <= after) last = &image;
  }
  return last;
}

std::optional<EventNo> History::birth_of(Tid process) const {
  const auto found = births_.find(process);
  return found == births_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<EventNo> History::end_of(Tid process) const {
  const auto found = ends_.find(process);
  return found == ends_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<Tid> History::processes() const {
  std::vector<Tid> list;
  for (const auto& [process, birth] : births_) list.push_back(process);
  std::ranges::sort(list, {}, [&](Tid process) { return births_.at(process); });
  return list;
}

std::string History::name_of(Tid task, EventNo after) const {
  std::string name;
  if (const auto found = names_.find(task); found != names_.end()) {
    for (const auto& [since, each] : found->second) {
      if (since <= after) name = each;
    }
  }
  return name;
}

std::optional<std::string> History::path_of(const BlobId& content) const {
  for (const auto& [path, blob] : files_) {
    if (blob == content) return path;
  }
  return std::nullopt;
}

Result<Snapshot> History::snapshot(const Image& image) const {
  TMREC_TRY(const fs::path path, trace_.snapshot(image.snapshot));
  return read_core(path);
}

Result<void> History::learn_files(const Image& image) {
  TMREC_TRY(const Snapshot at_exec, snapshot(image));
  for (const Mapping& mapping : at_exec.mappings) add_file(mapping.source);
  return {};
}

// A debugger asks by the name that the dynamic linker used, which may lead over symbolic links that are gone by now:
// libz.so.1 for libz.so.1.2.13.
std::optional<BlobId> History::file(const std::string& path) const {
  if (const auto found = files_.find(path); found != files_.end()) return found->second;
  std::error_code error;
  const fs::path wanted(merged(fs::path(path).lexically_normal().string()));
  if (const auto found = files_.find(wanted.string()); found != files_.end()) return found->second;
  if (const fs::path real = fs::canonical(wanted, error); !error) {
    if (const auto found = files_.find(real.string()); found != files_.end()) return found->second;
  }
  for (const auto& [each, blob] : files_) {
    const fs::path known(merged(each));
    const bool versioned = known.filename().string().starts_with(wanted.filename().string() + ".");
    if (known == wanted || (versioned && known.parent_path() == wanted.parent_path())) return blob;
  }
  return std::nullopt;
}

}  // namespace tmrec::replayer
