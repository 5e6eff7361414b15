#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>
#include <unordered_set>

#include "format/blob_store.h"
#include "format/pack.h"
#include "format/pack_layout.h"

namespace tmrec {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;
constexpr std::uint64_t kLargest = std::uint64_t{1} << 63;
constexpr std::size_t kLongestName = sizeof pack::TarHeader::name;

bool all_of(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

// "ab/cdef.debug", as below /usr/lib/debug/.build-id.
bool names_debug_file(std::string_view name) {
  constexpr std::string_view kHex = "0123456789abcdef", kEnd = ".debug";
  return name.size() > 3 + kEnd.size() && name[2] == '/' && name.ends_with(kEnd) && all_of(name.substr(0, 2), kHex) &&
         all_of(name.substr(3, name.size() - 3 - kEnd.size()), kHex);
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

bool begins_like_pack(std::span<const std::uint8_t> head) {
  std::uint32_t magic = 0;
  if (head.size() < sizeof magic) return false;
  std::memcpy(&magic, head.data(), sizeof magic);
  return magic == ZSTD_MAGICNUMBER;
}

bool valid_pack_name(const std::string& name) {
  constexpr std::string_view kDigits = "0123456789";
  if (name.size() > kLongestName) return false;
  std::string_view rest = name;
  if (rest == "manifest.json") return true;
  if (take_prefix(rest, "log/")) return rest.size() >= 6 && all_of(rest, kDigits);
  if (take_prefix(rest, "blobs/")) return BlobStore::valid(BlobId{std::string(rest)});
  if (take_prefix(rest, "debug/")) return names_debug_file(rest);
  return take_prefix(rest, "snapshot-") && rest.ends_with(".core") && all_of(rest, "0123456789-.core");
}

struct PackReader::Impl {
  Impl(Fd source, const std::string& pack_name)
      : from(std::move(source)), name(pack_name), context(ZSTD_createDCtx(), ZSTD_freeDCtx) {}

  Fd from;
  std::string name;
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context;
  Bytes compressed = Bytes(ZSTD_DStreamInSize());
  ZSTD_inBuffer in{compressed.data(), 0, 0};
  Bytes piece = Bytes(kPiece);
  bool frame_ended = false;  // the checksum was right
  std::string folder;        // that all names begin with
  std::vector<Entry> entries;
  std::uint64_t size = 0;

  std::unexpected<Error> bad(const std::string& what) const { return fail(ErrorKind::BadTrace, name + ": " + what); }
  std::unexpected<Error> damaged(const std::string& what) const { return bad("damaged pack: " + what); }

  // False: the input has ended.
  Result<bool> refill() {
    ssize_t n = 0;
    do {
      n = ::read(from.get(), compressed.data(), compressed.size());
    } while (n < 0 && errno == EINTR);
    if (n < 0) return fail_errno(name, errno, ErrorKind::BadTrace);
    in = {compressed.data(), static_cast<std::size_t>(n), 0};
    return n > 0;
  }

  // Fills as much as there is; less only at the end of the frame.
  Result<std::size_t> decompress(std::span<std::uint8_t> into) {
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (out.pos < out.size && !frame_ended) {
      // What the decoder still holds comes before new input.
      const std::size_t before = out.pos;
      const bool had_input = in.pos < in.size;
      const std::size_t left = ZSTD_decompressStream(context.get(), &out, &in);
      if (ZSTD_isError(left) != 0) return damaged(ZSTD_getErrorName(left));
      frame_ended = left == 0;
      if (frame_ended || had_input || out.pos != before) continue;
      TMREC_TRY(const bool more, refill());
      if (!more) return damaged("it is cut off");
    }
    return out.pos;
  }

  Result<void> take(std::span<std::uint8_t> into) {
    TMREC_TRY(const std::size_t have, decompress(into));
    if (have != into.size()) return damaged("it ends too early");
    return {};
  }

  Result<void> take_zeros(std::size_t count) {
    TMREC_CHECKED(take(std::span(piece).first(count)));
    const auto zeros = std::span(piece).first(count);
    if (std::ranges::any_of(zeros, [](std::uint8_t byte) { return byte != 0; })) return damaged("bytes between files");
    return {};
  }

  Result<pack::TarEntry> take_header() {
    pack::TarHeader header{};
    TMREC_CHECKED(take({reinterpret_cast<std::uint8_t*>(&header), sizeof header}));
    const auto entry = pack::read_header(header);
    if (!entry) return damaged("no header of a file where one should be");
    return *entry;
  }

  Result<void> read_list() {
    TMREC_TRY(const pack::TarEntry directory, take_header());
    TMREC_TRY(const pack::TarEntry list, take_header());
    folder = directory.path;
    if (directory.type != pack::kDirectory || directory.size != 0 || !folder.ends_with('/') ||
        list.type != pack::kRegular || list.path != folder + pack::kListName) {
      return bad("not a pack of tmrec's");
    }
    if (list.size > pack::kLongestList) return damaged(fmt::format("a list of {} bytes", list.size));
    std::string text(list.size, '\0');
    TMREC_CHECKED(take({reinterpret_cast<std::uint8_t*>(text.data()), text.size()}));
    TMREC_CHECKED(take_zeros(pack::padding_behind(list.size)));
    std::string_view rest = text;
    if (!take_prefix(rest, pack::kListHead)) {
      return rest.starts_with("tmrec-pack ") ? bad("a pack of a newer version: install a newer tmrec")
                                             : damaged("a list that is none");
    }
    return parse_list(rest);
  }

  Result<void> parse_list(std::string_view rest) {
    std::unordered_set<std::string_view> seen;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      const std::string_view line = rest.substr(0, end);
      Entry entry;
      const auto [at, error] = std::from_chars(line.data(), line.data() + line.size(), entry.size);
      const auto digits = static_cast<std::size_t>(at - line.data());
      if (end == std::string_view::npos || error != std::errc() || digits >= line.size() || line[digits] != ' ') {
        return damaged("a line of its list is none");
      }
      entry.name = line.substr(digits + 1);
      if (!valid_pack_name(entry.name)) return damaged("it lists a file that no trace has");
      if (!seen.insert(line.substr(digits + 1)).second) return damaged("it lists a file twice");
      if (entry.size > kLargest - size) return damaged("its files have an impossible size");
      size += entry.size;
      entries.push_back(std::move(entry));
      rest.remove_prefix(end + 1);
    }
    if (!seen.contains("manifest.json")) return damaged("it has no manifest");
    return {};
  }

  Result<void> unpack(const Entry& entry, const fs::path& directory, const std::function<void(std::size_t)>& wrote) {
    TMREC_TRY(const pack::TarEntry header, take_header());
    if (header.type != pack::kRegular || header.path != folder + entry.name || header.size != entry.size) {
      return damaged(fmt::format("{} is not where its list says", entry.name));
    }
    const fs::path path = directory / entry.name;
    TMREC_CHECKED(make_directories(path.parent_path()));
    TMREC_TRY(const Fd file, open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
    for (std::uint64_t left = entry.size; left > 0;) {
      const auto next = std::span(piece).first(std::min<std::uint64_t>(piece.size(), left));
      TMREC_CHECKED(take(next));
      if (const int err = write_all(file.get(), next)) return fail_errno("cannot unpack to " + path.string(), err);
      left -= next.size();
      wrote(next.size());
    }
    return take_zeros(pack::padding_behind(entry.size));
  }

  Result<void> expect_end() {
    TMREC_CHECKED(take_zeros(2 * pack::kBlock));
    TMREC_TRY(const std::size_t more, decompress(std::span(piece).first(1)));
    if (more != 0) return damaged("it goes on behind its end");
    if (in.pos == in.size) TMREC_CHECKED(refill());
    if (in.pos != in.size) return damaged("something follows it");
    return {};
  }
};

PackReader::PackReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PackReader::PackReader(PackReader&&) noexcept = default;
PackReader::~PackReader() = default;
const std::vector<PackReader::Entry>& PackReader::entries() const { return impl_->entries; }
std::uint64_t PackReader::size() const { return impl_->size; }

Result<PackReader> PackReader::open(Fd from, const std::string& name) {
  auto impl = std::make_unique<Impl>(std::move(from), name);
  TMREC_TRY(const bool any, impl->refill());
  if (!any || !begins_like_pack(std::span(impl->compressed).first(impl->in.size))) {
    return impl->bad("neither a trace nor a pack of tmrec's");
  }
  TMREC_CHECKED(impl->read_list());
  return PackReader(std::move(impl));
}

Result<void> PackReader::unpack(const fs::path& directory, const PackProgress& progress) {
  std::uint64_t done = 0;
  const auto wrote = [&](std::size_t bytes) {
    done += bytes;
    if (progress) progress(done, impl_->size);
  };
  for (const Entry& entry : impl_->entries) TMREC_CHECKED(impl_->unpack(entry, directory, wrote));
  return impl_->expect_end();
}

}  // namespace tmrec
