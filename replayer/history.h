// What the log says about the recorded processes without replaying it: programs, files, names of threads.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "format/event.h"
#include "format/snapshot.h"
#include "format/trace_dir.h"

namespace tmrec::replayer {

class History {
 public:
  explicit History(TraceDir trace) : trace_(std::move(trace)) {}

  // Events in their order, each once.
  void note(const Event& event);

  // The program a process executes after this event; empty: not known (yet).
  struct Image {
    EventNo since;
    std::string snapshot;
    std::string program;
  };
  const Image* image_of(Tid process, EventNo after) const;
  // The one that the recording begins with, or the first of those it begins with; nothing: not noted yet.
  std::optional<Tid> first_process() const { return first_; }
  // The event after which a process exists.
  std::optional<EventNo> birth_of(Tid process) const;
  // The event with which it ended; nullopt: not noted (yet).
  std::optional<EventNo> end_of(Tid process) const;
  // Those noted so far, in the order of their births.
  std::vector<Tid> processes() const;
  // As set by itself, or inherited; of what `after` has come to.
  std::string name_of(Tid task, EventNo after) const;
  // The content of a file that was mapped, by the path under which the program or its debugger may know it.
  std::optional<BlobId> file(const std::string& path) const;
  std::optional<std::string> path_of(const BlobId& content) const;
  Result<Snapshot> snapshot(const Image& image) const;
  // Of images noted so far, so that their files are known.
  Result<void> learn_files(const Image& image);

 private:
  void add_file(const MapSource& source);
  void rename(Tid task, EventNo event, std::string name);

  TraceDir trace_;
  std::map<Tid, std::vector<Image>> images_;
  std::map<Tid, EventNo> births_, ends_;
  std::map<Tid, Tid> process_of_;
  std::map<Tid, std::vector<std::pair<EventNo, std::string>>> names_;
  std::map<std::string, BlobId> files_;
  std::optional<Tid> first_;
};

}  // namespace tmrec::replayer
