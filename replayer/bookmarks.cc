#include "replayer/bookmarks.h"

#include <sys/stat.h>

#include <algorithm>

#include <fmt/format.h>

#include "format/file_io.h"
#include "replayer/moment.h"

namespace tmrec::replayer {

namespace {

constexpr std::uint64_t kMaxSize = 1 << 20;

std::optional<Bookmark> parse_line(const std::string& line) {
  const std::size_t first = line.find(' ');
  if (first == std::string::npos) return std::nullopt;
  const std::size_t second = line.find(' ', first + 1);
  if (second == std::string::npos) return std::nullopt;
  const auto position = parse_position(line.substr(0, first));
  const auto process = parse_number(line.substr(first + 1, second - first - 1));
  std::string name = line.substr(second + 1);
  if (!position || !process || *process > INT32_MAX || !is_name(name)) return std::nullopt;
  return Bookmark{position->position, Tid(static_cast<std::int32_t>(*process)), std::move(name)};
}

}  // namespace

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= kMostOfName && text.front() != ' ' && text.back() != ' ' &&
         std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7f; });
}

Result<std::vector<Bookmark>> Bookmarks::all() const {
  std::vector<Bookmark> list;
  struct stat st {};
  if (::stat(file_.c_str(), &st) != 0 && errno == ENOENT) return list;
  TMREC_TRY(const Bytes bytes, read_whole(file_, kMaxSize, ErrorKind::BadTrace));
  const std::string text(bytes.begin(), bytes.end());
  for (std::size_t at = 0, number = 1; at < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    auto bookmark = parse_line(text.substr(at, end - at));
    if (!bookmark) {
      return fail(ErrorKind::BadTrace,
                  fmt::format("{}: line {} is no bookmark: mend or remove it", file_.string(), number));
    }
    list.push_back(std::move(*bookmark));
    at = end + 1;
  }
  std::ranges::stable_sort(list, {}, &Bookmark::position);
  return list;
}

Result<void> Bookmarks::write(std::vector<Bookmark> bookmarks) const {
  std::ranges::stable_sort(bookmarks, {}, &Bookmark::position);
  std::string text;
  for (const Bookmark& each : bookmarks) {
    text += fmt::format("{} {} {}\n", text_of(each.position), each.process.value, each.name);
  }
  if (text.size() > kMaxSize) return fail(ErrorKind::Usage, file_.string() + ": too many bookmarks; remove some");
  return write_whole(file_, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

Result<void> Bookmarks::put(const Bookmark& bookmark) const {
  TMREC_TRY(auto list, all());
  std::erase_if(list, [&](const Bookmark& each) { return each.name == bookmark.name; });
  list.push_back(bookmark);
  return write(std::move(list));
}

Result<bool> Bookmarks::remove(const std::string& name) const {
  TMREC_TRY(auto list, all());
  if (std::erase_if(list, [&](const Bookmark& each) { return each.name == name; }) == 0) return false;
  TMREC_CHECKED(write(std::move(list)));
  return true;
}

}  // namespace tmrec::replayer
