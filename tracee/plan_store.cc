#include "tracee/plan_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <ctime>
#include <new>
#include <vector>

#include "tracee/cache_file.h"
#include "tracee/module_image.h"

namespace tmrec::tracee {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kRefusal = "tmrec: not a module that can be patched\n";
constexpr std::string_view kSuffix = ".plan";
constexpr std::int64_t kAbandoned = 3600;  // seconds after which a temporary file's writer is taken for dead

// False: root would leave a directory of its own inside somebody else's, who could then not use it.
bool may_create(fs::path path) {
  struct stat st {};
  while (::stat(path.empty() ? "." : path.c_str(), &st) != 0) {
    if (path.empty() || path == path.parent_path()) return false;
    path = path.parent_path();
  }
  return ::geteuid() != 0 || st.st_uid == 0;
}

patch::Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string_view text_of(patch::Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// A whole file, mapped. It is never written again once it has its name; when it is replaced, the mapping keeps the old.
struct Mapping {
  Mapping(int fd, std::size_t length)
      : size(length), at(::mmap(nullptr, length, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0)) {}
  ~Mapping() {
    if (at != MAP_FAILED) ::munmap(at, size);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  patch::Bytes bytes() const { return {static_cast<const std::uint8_t*>(at), size}; }

  std::size_t size;
  void* at;
};

// A refusal: kRefusal, the entry's name, a line feed, the text, xxh3 of all that.
std::string encode_refusal(const std::string& name, const Error& error) {
  std::string out = std::string(kRefusal) + name + "\n" + error.text;
  const std::uint64_t sum = XXH3_64bits(out.data(), out.size());
  out.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  return out;
}

std::optional<Error> decode_refusal(const std::string& name, std::string_view bytes) {
  const std::string start = std::string(kRefusal) + name + "\n";
  std::uint64_t sum = 0;
  if (!bytes.starts_with(start) || bytes.size() < start.size() + sizeof sum) return std::nullopt;
  const std::string_view summed = bytes.substr(0, bytes.size() - sizeof sum);
  std::memcpy(&sum, summed.data() + summed.size(), sizeof sum);
  if (sum != XXH3_64bits(summed.data(), summed.size())) return std::nullopt;
  return Error{ErrorKind::System, std::string(summed.substr(start.size()))};
}

std::string hex_of(const std::array<std::uint64_t, 2>& hash) { return fmt::format("{:016x}{:016x}", hash[1], hash[0]); }

bool belongs_to(const patch::Plan& plan, const PlanKey& key) {
  return plan.options == key.options && hex_of(plan.content) == key.content;
}

}  // namespace

std::string name_of(const PlanKey& key) {
  static_assert(std::has_unique_object_representations_v<patch::PlanOptions>, "two names for equal options");
  std::string options;
  for (std::uint8_t byte : std::bit_cast<std::array<std::uint8_t, sizeof(patch::PlanOptions)>>(key.options)) {
    options += fmt::format("{:02x}", byte);
  }
  return fmt::format("{}-{}-v{}{}", key.content, options, patch::kPatcherVersion, kSuffix);
}

PlanStore PlanStore::open(const fs::path& directory, std::uint64_t limit) {
  if (directory.empty() || !may_create(directory) || !make_directories(directory)) return {Fd(), limit};
  auto fd = open_file(directory, O_RDONLY | O_DIRECTORY);
  struct stat st {};
  if (!fd || ::fstat(fd->get(), &st) != 0 || !is_private(st)) return {Fd(), limit};
  std::error_code failed;
  const fs::path path = fs::canonical(directory, failed);
  return {std::move(*fd), limit, failed ? directory : path};
}

bool PlanStore::holds(const PlanKey& key) const {
  return usable() && ::faccessat(directory_.get(), name_of(key).c_str(), R_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0;
}

std::optional<PlanOutcome> PlanStore::find(const PlanKey& key) const try {
  if (!usable()) return std::nullopt;
  const std::string name = name_of(key);
  auto [file, size] = open_cache_file(directory_.get(), name);
  if (!file) return std::nullopt;
  auto mapping = std::make_shared<const Mapping>(file->get(), size);
  if (mapping->at == MAP_FAILED) return std::nullopt;

  if (auto refusal = decode_refusal(name, text_of(mapping->bytes()))) {
    ::futimens(file->get(), nullptr);
    return std::unexpected(std::move(*refusal));
  }
  std::array<std::uint64_t, 2> hash{};
  auto plan = patch::Plan::view(mapping->bytes(), mapping, &hash);
  if (!plan || !belongs_to(*plan, key)) return std::nullopt;
  ::futimens(file->get(), nullptr);
  return std::make_shared<const EncodedPlan>(EncodedPlan{std::make_shared<const patch::Plan>(std::move(*plan)),
                                                         mapping->bytes(), mapping, name, BlobId{hex_of(hash)},
                                                         std::move(file)});
} catch (const std::bad_alloc&) {
  return std::nullopt;
}

void PlanStore::put(const PlanKey& key, const PlanOutcome& outcome) const {
  if (!usable()) return;
  const std::string name = name_of(key);
  const std::string refusal = outcome ? "" : encode_refusal(name, outcome.error());
  const patch::Bytes bytes = outcome ? (*outcome)->encoded : bytes_of(refusal);
  if (bytes.size() <= limit_ && write_cache_file(directory_.get(), name, {bytes})) sweep();
}

std::shared_ptr<const ModuleImage> PlanStore::find_image(const EncodedPlan& plan, const std::string& module) const {
  return usable() ? tracee::find_image(directory_.get(), path_, plan, module) : nullptr;
}

bool PlanStore::put_image(const EncodedPlan& plan, patch::Bytes file, const std::string& module) const {
  constexpr std::uint64_t kShare = 4;  // one of so many parts of the cache, at most
  if (!usable() || file.size() > limit_ / kShare) return false;
  const bool written = tracee::put_image(directory_.get(), plan, file, module);
  if (written) sweep();
  return written;
}

namespace {

struct Entry {
  std::string name;
  std::int64_t seconds, nanoseconds;
  std::uint64_t size;
};

// Only files with names of ours: somebody may point us at a directory that holds other things. `within`: a directory of
// images, in which all are.
void list_entries(int directory, const std::string& within, std::vector<Entry>& entries) {
  Fd fd(::openat(directory, within.empty() ? "." : within.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return;
  DIR* listing = ::fdopendir(fd.get());
  if (!listing) return;
  fd.release();
  while (const dirent* item = ::readdir(listing)) {
    const std::string leaf = item->d_name, name = within.empty() ? leaf : within + "/" + leaf;
    const bool temporary = leaf.starts_with('.') && leaf.ends_with(kTemporarySuffix);
    struct stat st {};
    if (leaf == "." || leaf == ".." || ::fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (within.empty() && S_ISDIR(st.st_mode) && leaf.ends_with(kImageSuffix)) list_entries(directory, name, entries);
    if (!S_ISREG(st.st_mode)) continue;
    if (!within.empty() || (!temporary && leaf.ends_with(kSuffix))) {
      entries.push_back({name, st.st_mtim.tv_sec, st.st_mtim.tv_nsec, static_cast<std::uint64_t>(st.st_size)});
    } else if (temporary && st.st_mtim.tv_sec < ::time(nullptr) - kAbandoned) {
      ::unlinkat(directory, name.c_str(), 0);
    }
  }
  ::closedir(listing);
}

}  // namespace

void PlanStore::sweep() const {
  std::vector<Entry> entries;
  list_entries(directory_.get(), "", entries);
  std::uint64_t total = 0;
  for (const Entry& e : entries) total += e.size;
  std::ranges::sort(entries, {}, [](const Entry& e) { return std::pair(e.seconds, e.nanoseconds); });
  for (const Entry& e : entries) {
    if (total <= limit_) return;
    ::unlinkat(directory_.get(), e.name.c_str(), 0);
    if (const auto parent = e.name.find('/'); parent != std::string::npos) {
      ::unlinkat(directory_.get(), e.name.substr(0, parent).c_str(), AT_REMOVEDIR);  // unless it holds others
    }
    total -= e.size;
  }
}

}  // namespace tmrec::tracee
