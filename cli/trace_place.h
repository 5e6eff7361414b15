// Where traces live: a base directory with one directory per trace, named PROG-N, a link `latest` to the newest, and
// `blobs`, the file contents they share.
//
// Two recordings that start at the same moment must not choose the same number, and the recorder insists on creating
// the trace itself. So a name is reserved by a locked file (`.PROG-N.reserved`) for as long as the recording runs; a
// file whose owner died is unlocked and stands in nobody's way. A lock on the whole directory was rejected: it would
// have to be held until the recorder has created its directory, a moment that only the recorder knows.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "format/result.h"

namespace tmrec::cli {

// The default base directory, not created: $TMREC_TRACE_DIR, else $XDG_DATA_HOME/tmrec, else ~/.local/share/tmrec, else
// /var/lib/tmrec where that can be written, else /tmp/tmrec-UID ($TMPDIR), which must be ours alone. Error: System,
// when that last one belongs to somebody else.
Result<std::filesystem::path> base_directory();

// The blob store for a new trace: $TMREC_BLOB_DIR when set, else `blobs` beside the trace.
std::filesystem::path blob_directory(const std::filesystem::path& trace);

// The blob store of a recorded trace: where its manifest says; if nothing is there (the trace was moved without it),
// where a new trace's would be. Error: BadTrace, of the manifest.
Result<std::filesystem::path> recorded_blob_directory(const std::filesystem::path& trace);

// The PROG of PROG-N for a program: its last path component, with everything but letters, digits and "._+-" replaced
// by "_", at most 64 characters, never empty and never starting with "." or "-".
std::string trace_stem(const std::string& program);

// A trace name nobody else can take while this object lives.
class Reservation {
 public:
  Reservation(std::filesystem::path trace, std::filesystem::path file, int fd);
  ~Reservation();
  Reservation(Reservation&& other) noexcept;
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  Reservation& operator=(Reservation&&) = delete;
  const std::filesystem::path& trace() const { return trace_; }

 private:
  std::filesystem::path trace_, file_;
  int fd_;  // locked; -1 when moved from
};

// Whether a tmrec that lives holds the name of this trace.
bool being_recorded(const std::filesystem::path& trace);

// Reserves this very place. Errors: Usage when something is there already or somebody is recording to it.
Result<Reservation> reserve_at(const std::filesystem::path& trace);

// Reserves base/STEM-N with N one more than the greatest in use. Creates base (mode 0700) when missing.
Result<Reservation> reserve(const std::filesystem::path& base, const std::string& stem);

// Lets base/latest point to `name`. Returns what it pointed to before.
Result<std::optional<std::string>> point_latest(const std::filesystem::path& base, const std::string& name);

// Points `latest` back to `before` (or removes it) unless it no longer points to `name`.
void unpoint_latest(const std::filesystem::path& base, const std::string& name,
                    const std::optional<std::string>& before);

// The trace somebody means: a path when it holds a slash or names a directory here, else a name in the base directory;
// nothing: `latest` there. Links are resolved. Error: BadTrace when there is none.
Result<std::filesystem::path> find_trace(const std::string& name);

// All traces of a base directory (directories with a manifest), by name.
Result<std::vector<std::filesystem::path>> traces_in(const std::filesystem::path& base);

}  // namespace tmrec::cli
