#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <zstd.h>

#include <algorithm>

#include "format/pack.h"
#include "format/pack_layout.h"

namespace tmrec {

namespace {

constexpr int kLevel = 3;
constexpr int kMostThreads = 16;
constexpr std::size_t kPiece = std::size_t{1} << 20;

int usable_cpus() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

// One zstd frame, to a descriptor.
class Compressor {
 public:
  explicit Compressor(int to) : context_(ZSTD_createCCtx(), ZSTD_freeCCtx), to_(to), out_(ZSTD_CStreamOutSize()) {
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
    // Refused by a library without threads, which then does it in this one.
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_nbWorkers, std::min(usable_cpus(), kMostThreads));
  }

  Result<void> add(std::span<const std::uint8_t> bytes) { return run(bytes, ZSTD_e_continue); }
  Result<void> add(const pack::TarHeader& header) {
    return add({reinterpret_cast<const std::uint8_t*>(&header), sizeof header});
  }
  Result<void> pad(std::uint64_t size) {
    static constexpr std::uint8_t kZeros[pack::kBlock]{};
    return add({kZeros, pack::padding_behind(size)});
  }
  Result<void> finish() {
    const Bytes end(2 * pack::kBlock);
    TMREC_CHECKED(add(end));
    return run({}, ZSTD_e_end);
  }

 private:
  Result<void> run(std::span<const std::uint8_t> bytes, ZSTD_EndDirective how) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{out_.data(), out_.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context_.get(), &out, &in, how);
      if (ZSTD_isError(left) != 0)
        return fail(ErrorKind::System, fmt::format("cannot compress: {}", ZSTD_getErrorName(left)));
      if (const int err = write_all(to_, {out_.data(), out.pos})) return fail_errno("cannot write the pack", err);
      if (how == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }

  std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context_;
  int to_;
  Bytes out_;
};

std::string list_of(const std::vector<PackedFile>& files) {
  std::string list = pack::kListHead;
  for (const PackedFile& file : files) list += fmt::format("{} {}\n", file.size, file.name);
  return list;
}

class Writer {
 public:
  Writer(int to, const std::string& folder, std::uint64_t total, const PackProgress& progress)
      : out_(to), folder_(folder), total_(total), progress_(progress) {}

  Result<void> begin(const std::string& list) {
    TMREC_CHECKED(out_.add(pack::tar_header("", folder_ + "/", pack::kDirectory, 0)));
    TMREC_CHECKED(out_.add(pack::tar_header(folder_, pack::kListName, pack::kRegular, list.size())));
    TMREC_CHECKED(out_.add({reinterpret_cast<const std::uint8_t*>(list.data()), list.size()}));
    return out_.pad(list.size());
  }

  Result<void> add(const PackedFile& file) {
    TMREC_CHECKED(out_.add(pack::tar_header(folder_, file.name, pack::kRegular, file.size)));
    TMREC_CHECKED(file.from.empty() ? out_.add(file.content) : copy(file));
    return out_.pad(file.size);
  }

  Result<void> finish() { return out_.finish(); }

 private:
  Result<void> copy(const PackedFile& file) {
    TMREC_TRY(const Fd from, open_file(file.from, O_RDONLY | O_NONBLOCK));
    for (std::uint64_t at = 0; at < file.size;) {
      const std::size_t wanted = std::min<std::uint64_t>(piece_.size(), file.size - at);
      const std::int64_t n = read_at(from.get(), at, std::span(piece_).first(wanted));
      if (n < 0) return fail_errno(file.from.string());
      if (static_cast<std::size_t>(n) != wanted)
        return fail(ErrorKind::System, file.from.string() + ": became shorter");
      TMREC_CHECKED(out_.add(std::span(piece_).first(wanted)));
      at += wanted;
      done_ += wanted;
      if (progress_) progress_(done_, total_);
    }
    return {};
  }

  Compressor out_;
  const std::string& folder_;
  std::uint64_t done_ = 0, total_;
  const PackProgress& progress_;
  Bytes piece_ = Bytes(kPiece);
};

}  // namespace

Result<void> write_pack(int to, const std::string& folder, const std::vector<PackedFile>& files,
                        const PackProgress& progress) {
  std::uint64_t total = 0;
  for (const PackedFile& file : files) {
    if (!valid_pack_name(file.name)) return fail(ErrorKind::System, "a pack cannot hold " + file.name);
    total += file.size;
  }
  Writer writer(to, folder, total, progress);
  TMREC_CHECKED(writer.begin(list_of(files)));
  for (const PackedFile& file : files) TMREC_CHECKED(writer.add(file));
  return writer.finish();
}

}  // namespace tmrec
