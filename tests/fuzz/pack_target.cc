#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <cstring>
#include <filesystem>

#include "format/pack.h"
#include "format/pack_layout.h"
#include "tests/fuzz/target.h"
#include "tests/unit/format/samples.h"

namespace tmrec::fuzz {

namespace {

namespace fs = std::filesystem;

void require_clear(const Error& error) {
  require(error.kind == ErrorKind::BadTrace, "a damaged pack is a bad trace");
  require(error.text.starts_with("bug.tmrec: "), "errors name the file");
  require(error.text.find('\n') == std::string::npos, "an error is one line");
}

void read_one(const Bytes& pack) {
  Fd file(::memfd_create("pack", MFD_CLOEXEC));
  require(write_all(file.get(), pack) == 0 && ::lseek(file.get(), 0, SEEK_SET) == 0, "a pack can be written");
  auto reader = PackReader::open(std::move(file), "bug.tmrec");
  if (!reader) return require_clear(reader.error());
  const samples::TemporaryDirectory dir;
  const fs::path inside = dir.path() / "inside";
  fs::create_directory(inside);
  const auto unpacked = reader->unpack(inside);
  if (!unpacked) require_clear(unpacked.error());
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(dir.path())) {
    require(entry.is_directory() || entry.is_regular_file(), "nothing but files and directories is made");
    if (!entry.is_regular_file()) continue;
    require(valid_pack_name(entry.path().lexically_relative(inside)), "nothing is made outside");
    ++files;
    bytes += entry.file_size();
  }
  require(bytes <= reader->size(), "it takes no more room than it says");
  require(!unpacked || (files == reader->entries().size() && bytes == reader->size()), "all of it is there");
}

// An archive as a pack, with its headers' checksums made right, so that what lies behind them is reached.
Bytes as_pack(Bytes archive) {
  for (std::size_t at = 0; at + pack::kBlock <= archive.size(); at += pack::kBlock) {
    pack::TarHeader header;
    std::memcpy(&header, &archive[at], sizeof header);
    if (std::memcmp(header.magic, "ustar", sizeof header.magic) != 0) continue;
    std::memset(header.checksum, ' ', sizeof header.checksum);
    unsigned sum = 0;
    for (std::size_t i = 0; i < sizeof header; ++i) sum += reinterpret_cast<const unsigned char*>(&header)[i];
    for (std::size_t i = 6; i-- > 0; sum >>= 3) header.checksum[i] = static_cast<char>('0' + (sum & 7));
    std::memcpy(&archive[at], &header, sizeof header);
  }
  Bytes pack(ZSTD_compressBound(archive.size()));
  pack.resize(ZSTD_compress(pack.data(), pack.size(), archive.data(), archive.size(), 1));
  return pack;
}

void run(std::span<const std::uint8_t> input) {
  const Bytes bytes(input.begin(), input.end());
  begins_like_pack(input) ? read_one(bytes) : read_one(as_pack(bytes));
}

// Packs, and the archives inside them.
std::vector<Bytes> seeds() {
  const samples::TemporaryDirectory dir;
  const PackedFile manifest{"manifest.json", 2, {}, {'{', '}'}};
  const PackedFile log{"log/000001", 700, {}, Bytes(700, 3)};
  const PackedFile blob{"blobs/0123456789abcdef0123456789abcdef", 5000, {}, Bytes(5000, 4)};
  const PackedFile debug{"debug/ab/cdef.debug", 1, {}, {5}};
  std::vector<Bytes> out;
  for (const auto& files : {std::vector{manifest}, std::vector{manifest, log, blob, debug}}) {
    Fd file(::memfd_create("pack", MFD_CLOEXEC));
    require(write_pack(file.get(), "name-1", files).has_value(), "a pack can be written");
    const Bytes pack = samples::contents("/proc/self/fd/" + std::to_string(file.get()));
    Bytes archive(64 << 10);
    ZSTD_DCtx* context = ZSTD_createDCtx();
    ZSTD_inBuffer in{pack.data(), pack.size(), 0};
    ZSTD_outBuffer archived{archive.data(), archive.size(), 0};
    require(ZSTD_decompressStream(context, &archived, &in) == 0, "a pack is one frame");
    ZSTD_freeDCtx(context);
    archive.resize(archived.pos);
    out.push_back(pack);
    out.push_back(std::move(archive));
  }
  return out;
}

}  // namespace

const Target pack_target{"pack", run, seeds};

}  // namespace tmrec::fuzz
