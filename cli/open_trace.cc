#include "cli/open_trace.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>

#include "cli/age.h"
#include "cli/quantity.h"
#include "cli/say.h"
#include "cli/trace_place.h"
#include "format/file_io.h"
#include "format/pack.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

// More than any trace shrinks to; beyond both it is taken for an attempt to fill the disk.
constexpr std::uint64_t kMostPerByte = 200;
constexpr std::uint64_t kHarmless = std::uint64_t{1} << 30;

bool is_file(const std::string& name) {
  std::error_code error;
  return !name.empty() && fs::is_regular_file(name, error);
}

Result<Bytes> head_of(const fs::path& pack, int fd) {
  Bytes head(64);
  const std::int64_t n = read_at(fd, 0, head);
  if (n < 0) return fail_errno(pack.string(), errno, ErrorKind::BadTrace);
  head.resize(static_cast<std::size_t>(n));
  return head;
}

std::string folder_name(const fs::path& pack) {
  return trace_stem(pack.extension() == ".tmrec" ? pack.stem().string() : pack.filename().string());
}

Result<void> unpack(PackReader& reader, OpenTrace& open, const fs::path& pack) {
  if (reader.size() > kHarmless && reader.size() / kMostPerByte > open.pack_bytes) {
    return fail(
        ErrorKind::BadTrace,
        fmt::format("{}: unpacks to {}, which no trace of this size does; if it is one, unpack it yourself: tar "
                    "--zstd -xf",
                    pack.string(), show_size(reader.size())));
  }
  TMREC_TRY(PrivateFolder folder, PrivateFolder::create(reader.size(), pack.parent_path()));
  open.trace = folder.path() / folder_name(pack);
  open.folder.emplace(std::move(folder));
  TMREC_CHECKED(make_directories(open.trace));
  Progress progress("unpacking MiB");
  return reader.unpack(open.trace,
                       [&](std::uint64_t done, std::uint64_t total) { progress.update(done >> 20, total >> 20); });
}

Result<void> open_plain(Fd file, OpenTrace& open, const fs::path& pack) {
  TMREC_TRY(PackReader reader, PackReader::open(std::move(file), pack.string()));
  return unpack(reader, open, pack);
}

Result<void> open_encrypted(const Fd& file, OpenTrace& open, const fs::path& pack, const std::string& identity) {
  if (identity.empty()) {
    return fail(ErrorKind::Usage,
                fmt::format("{} is encrypted: add --identity FILE, the file with the secret key to it", pack.string()));
  }
  TMREC_TRY(Age age, Age::decrypt(identity, file.get()));
  const Result<void> opened = open_plain(age.take_pipe(), open, pack);
  const Result<void> decrypted = age.finish();
  // A key that does not fit shows as a pack that is empty, and a full disk as a decryption that ends early.
  if (!decrypted && (opened || opened.error().kind == ErrorKind::BadTrace)) {
    return fail(ErrorKind::BadTrace, fmt::format("cannot decrypt {}: {}", pack.string(), decrypted.error().text));
  }
  return opened;
}

Result<OpenTrace> open_pack(const fs::path& pack, const std::string& identity) {
  TMREC_TRY(Fd file, open_file(pack, O_RDONLY | O_NONBLOCK, ErrorKind::BadTrace));
  TMREC_TRY(const Bytes head, head_of(pack, file.get()));
  OpenTrace open;
  open.name = pack.string();
  open.packed = true;
  open.encrypted = begins_like_age(head);
  std::error_code error;
  open.pack_bytes = fs::file_size(pack, error);
  TMREC_CHECKED(open.encrypted ? open_encrypted(file, open, pack, identity) : open_plain(std::move(file), open, pack));
  open.blobs = open.trace / "blobs";
  return open;
}

}  // namespace

void add_trace_choice(CLI::App& app, TraceChoice& choice) {
  app.add_option("TRACE", choice.name,
                 "A name that `tmrec ls` shows, a directory, or a pack; the newest trace when left out");
  app.add_option("--identity", choice.identity, "The file with the secret key to an encrypted pack (see age(1))")
      ->type_name("FILE");
}

Result<OpenTrace> open_trace(const TraceChoice& choice) {
  if (is_file(choice.name)) return open_pack(choice.name, choice.identity);
  TMREC_TRY(const fs::path trace, find_trace(choice.name));
  TMREC_TRY(const fs::path blobs, recorded_blob_directory(trace));
  OpenTrace open;
  open.trace = trace;
  open.blobs = blobs;
  open.name = trace.string();
  return open;
}

}  // namespace tmrec::cli
