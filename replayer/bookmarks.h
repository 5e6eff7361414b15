// Places in a recording that people have given names to. They are kept in the trace, as text of one line each:
//
//   EVENT.TICKS.INSTRUCTIONS PROCESS NAME
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "format/result.h"
#include "replayer/place.h"

namespace tmrec::replayer {

struct Bookmark {
  Position position;
  Tid process;
  std::string name;
  friend bool operator==(const Bookmark&, const Bookmark&) = default;
};

// Printable text without a line end, at most kMostOfName bytes.
inline constexpr std::size_t kMostOfName = 200;
bool is_name(const std::string& text);

// Another debugging session of the same recording may add to them at any time, so they are read anew for each use.
class Bookmarks {
 public:
  explicit Bookmarks(const std::filesystem::path& trace) : file_(trace / "bookmarks") {}

  // In the order of positions. BadTrace: the file holds something else.
  Result<std::vector<Bookmark>> all() const;
  // Replaces one of the same name.
  Result<void> put(const Bookmark& bookmark) const;
  // False: there is none of that name.
  Result<bool> remove(const std::string& name) const;

 private:
  Result<void> write(std::vector<Bookmark> bookmarks) const;

  std::filesystem::path file_;
};

}  // namespace tmrec::replayer
