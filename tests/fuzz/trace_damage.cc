#include "tests/fuzz/trace_damage.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <xxhash.h>

#include "format/codec.h"
#include "format/log.h"
#include "format/syscall_record.h"
#include "tests/fuzz/event_damage.h"

namespace tmrec::fuzz {

namespace fs = std::filesystem;

namespace {

Bytes read_bytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

void write_bytes(const fs::path& path, const Bytes& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!out) throw std::runtime_error("cannot write " + path.string());
}

std::string hash_name(const Bytes& content) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(content.data(), content.size()));
  std::string name;
  for (const unsigned char byte : canonical.digest) name += fmt::format("{:02x}", byte);
  return name;
}

// A log of one chunk with right hashes.
Bytes log_of(const std::vector<Bytes>& records) {
  Bytes raw;
  for (const Bytes& record : records) raw.insert(raw.end(), record.begin(), record.end());
  Bytes packed(ZSTD_compressBound(raw.size()));
  packed.resize(ZSTD_compress(packed.data(), packed.size(), raw.data(), raw.size(), 1));
  ChunkHeader header;
  header.sequence = 1;
  header.first_event = 1;
  header.events = static_cast<std::uint32_t>(records.size());
  header.raw_size = raw.size();
  header.compressed_size = packed.size();
  header.payload_hash = XXH3_64bits(packed.data(), packed.size());
  header.header_hash = XXH3_64bits(&header, offsetof(ChunkHeader, header_hash));
  Bytes log(sizeof header + packed.size());
  std::memcpy(log.data(), &header, sizeof header);
  std::memcpy(log.data() + sizeof header, packed.data(), packed.size());
  return log;
}

// The note of tmrec in a core file: its name, padded to 8 bytes, version, reserved, hash of the file without the hash.
void make_hash_right(Bytes& core) {
  constexpr std::array<std::uint8_t, 8> kName = {'T', 'M', 'R', 'E', 'C', 0, 0, 0};
  constexpr std::ptrdiff_t kHashBehindName = 16;
  const auto name = std::ranges::search(core, kName);
  if (name.empty() || core.end() - name.begin() < kHashBehindName + 8) return;
  std::uint8_t* const at = &*name.begin() + kHashBehindName;
  std::memset(at, 0, 8);
  const std::uint64_t hash = XXH3_64bits(core.data(), core.size());
  std::memcpy(at, &hash, sizeof hash);
}

void replace_all(Bytes& bytes, const std::string& from, const std::string& to) {
  for (auto at = bytes.begin();; at += static_cast<std::ptrdiff_t>(to.size())) {
    at = std::search(at, bytes.end(), from.begin(), from.end());
    if (at == bytes.end()) return;
    std::ranges::copy(to, at);
  }
}

// Addresses in a core file are where the danger is; any aligned word may be one.
void damage_core(Bytes& core, Random& random) {
  if (core.size() < 4096) return;
  for (std::size_t n = random.below(4) + 1; n > 0; --n) {
    const std::size_t reach = random.below(3) == 0 ? core.size() : 4096;  // notes come first
    if (random.below(2) == 0) {
      core[random.below(reach)] ^= static_cast<std::uint8_t>(1u << random.below(8));
    } else {
      const std::uint64_t word = evil_number(random);
      std::memcpy(&core[random.below(reach - sizeof word)], &word, sizeof word);
    }
  }
}

template <class List>
auto& one_of(List& list, Random& random) {
  return list[random.below(list.size())];
}

void write_trace(const Trace& trace, const fs::path& place, const std::vector<std::string>& own_blobs = {}) {
  fs::create_directories(place / "trace" / "log");
  fs::create_directories(place / "blobs");
  write_bytes(place / "trace" / "manifest.json", trace.manifest);
  write_bytes(place / "trace" / "log" / "000001", trace.log);
  for (const NamedBytes& snapshot : trace.snapshots) write_bytes(place / "trace" / snapshot.name, snapshot.bytes);
  for (const NamedBytes& blob : trace.blobs) {
    if (std::ranges::count(own_blobs, blob.name) != 0) {
      write_bytes(place / "blobs" / blob.name, blob.bytes);
    } else {
      fs::create_hard_link(trace.blob_directory / blob.name, place / "blobs" / blob.name);
    }
  }
}

Damage damage_file(Trace& trace, Random& random, std::vector<std::string>& own_blobs) {
  const std::size_t which = random.below(trace.blobs.empty() ? 6 : 8);
  if (which < 2) {
    trace.manifest = mutated({trace.manifest}, random);
    return {"bytes of the manifest", true, true};
  }
  if (which < 4) {
    trace.log = mutated({trace.log}, random);
    return {"bytes of the log"};
  }
  if (which < 6) {
    NamedBytes& snapshot = one_of(trace.snapshots, random);
    snapshot.bytes = mutated({snapshot.bytes}, random);
    return {"bytes of " + snapshot.name};
  }
  NamedBytes& blob = one_of(trace.blobs, random);
  Bytes changed = mutated({blob.bytes}, random);
  if (changed != blob.bytes) own_blobs.push_back(blob.name);
  blob.bytes = std::move(changed);
  return {"bytes of blob " + blob.name};
}

// Another content under its right name, and the trace refers to it.
Damage forge_blob(Trace& trace, Random& random, std::vector<std::string>& own_blobs) {
  NamedBytes& blob = one_of(trace.blobs, random);
  const std::string former = blob.name;
  blob.bytes = mutated({blob.bytes}, random);
  blob.name = hash_name(blob.bytes);
  own_blobs.push_back(blob.name);
  for (NamedBytes& snapshot : trace.snapshots) {
    replace_all(snapshot.bytes, former, blob.name);
    make_hash_right(snapshot.bytes);
  }
  std::vector<Bytes> records;
  for (const Event& event : trace.events) {
    Bytes& record = records.emplace_back();
    if (!encode(event, record)) throw std::runtime_error("an event cannot be encoded");
    replace_all(record, former, blob.name);
  }
  trace.log = log_of(records);
  return {"content of blob " + former, true};
}

}  // namespace

Trace read_trace(const fs::path& path, const fs::path& blobs) {
  Trace trace;
  trace.manifest = read_bytes(path / "manifest.json");
  trace.log = read_bytes(log_segment_path(path, 1));
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().extension() == ".core") {
      trace.snapshots.push_back({entry.path().filename(), read_bytes(entry.path())});
    }
  }
  for (const auto& entry : fs::directory_iterator(blobs)) {
    if (entry.path().filename().string().size() == 32) {
      trace.blobs.push_back({entry.path().filename(), read_bytes(entry.path())});
    }
  }
  const auto by_name = [](const NamedBytes& a, const NamedBytes& b) { return a.name < b.name; };
  std::ranges::sort(trace.snapshots, by_name);
  std::ranges::sort(trace.blobs, by_name);
  trace.blob_directory = blobs;
  auto reader = LogReader::open(path);
  if (!reader) throw std::runtime_error(reader.error().text);
  for (;;) {
    auto event = reader->next();
    if (!event) throw std::runtime_error(event.error().text);
    if (!*event) return trace;
    trace.events.push_back(std::move(**event));
  }
}

Damage write_damaged(const Trace& sound, const fs::path& place, Random& random) {
  Trace trace = sound;
  std::vector<std::string> own_blobs;
  Damage damage;
  const std::size_t kind = random.below(10);
  if (kind < 3) {
    damage = damage_file(trace, random, own_blobs);
  } else if (kind < 8) {
    std::string what;
    trace.log = log_of(damaged_records(trace.events, random, what));
    damage = {what, true};
  } else if (kind < 9 || trace.blobs.empty()) {
    NamedBytes& snapshot = one_of(trace.snapshots, random);
    damage_core(snapshot.bytes, random);
    make_hash_right(snapshot.bytes);
    damage = {"content of " + snapshot.name, true};
  } else {
    damage = forge_blob(trace, random, own_blobs);
  }
  if (trace.manifest == sound.manifest && trace.log == sound.log && own_blobs.empty() &&
      std::ranges::equal(trace.snapshots, sound.snapshots, {}, &NamedBytes::bytes, &NamedBytes::bytes)) {
    damage = {damage.what + ", unchanged", true};
  }
  write_trace(trace, place, own_blobs);
  return damage;
}

void write_sound(const Trace& trace, const fs::path& place) { write_trace(trace, place); }

}  // namespace tmrec::fuzz
