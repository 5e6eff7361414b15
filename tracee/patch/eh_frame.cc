#include "tracee/patch/eh_frame.h"

#include <elf.h>

#include <map>
#include <optional>

namespace tmrec::patch {

namespace {

// DW_EH_PE_* (LSB core, "DWARF Extensions").
constexpr std::uint8_t kOmit = 0xff, kIndirect = 0x80, kFormat = 0x0f, kApplication = 0x70, kPcRelative = 0x10;

// A pointer in encoding `encoding` whose first byte lies at `va`. nullopt: omitted, or in a form that only a running
// program can resolve.
std::optional<Va> read_pointer(Reader& in, std::uint8_t encoding, Va va) {
  if (encoding == kOmit) return std::nullopt;
  std::uint64_t value = 0;
  switch (encoding & kFormat) {
    case 0x0:
    case 0x4:
    case 0xc:
      value = in.get<std::uint64_t>();
      break;
    case 0x1:
      value = in.uleb();
      break;
    case 0x2:
      value = in.get<std::uint16_t>();
      break;
    case 0x3:
      value = in.get<std::uint32_t>();
      break;
    case 0x9:
      value = static_cast<std::uint64_t>(in.sleb());
      break;
    case 0xa:
      value = static_cast<std::uint64_t>(std::int64_t{in.get<std::int16_t>()});
      break;
    case 0xb:
      value = static_cast<std::uint64_t>(std::int64_t{in.get<std::int32_t>()});
      break;
    default:
      return std::nullopt;
  }
  if (!in.ok() || (encoding & kIndirect) || value == 0) return std::nullopt;
  switch (encoding & kApplication) {
    case 0x00:
      return value;
    case kPcRelative:
      return va + value;
    default:
      return std::nullopt;
  }
}

struct Cie {
  std::uint8_t pointer_encoding = 0;
  std::uint8_t lsda_encoding = kOmit;
  bool has_augmentation_data = false;
  bool signal_frame = false;
};

class Parser {
 public:
  Parser(const ElfImage& image, Bytes frames, Va va) : image_(image), frames_(frames), va_(va) {}

  UnwindInfo run() {
    for (std::size_t at = 0; at + 4 <= frames_.size();) {
      Reader in(frames_, at);
      std::uint64_t length = in.get<std::uint32_t>();
      if (length == 0) break;
      if (length == 0xffffffff) length = in.get<std::uint64_t>();
      std::size_t body = in.position();
      if (!in.ok() || length < 4 || length > frames_.size() - body) break;
      auto id = in.get<std::uint32_t>();
      if (id != 0 && id <= body) read_fde(Bytes(frames_).first(body + length), body + 4, body - id);
      at = body + length;
    }
    return std::move(info_);
  }

 private:
  std::optional<Cie> cie_at(std::size_t at) {
    if (auto known = cies_.find(at); known != cies_.end()) return known->second;
    auto parsed = parse_cie(at);
    cies_[at] = parsed;
    return parsed;
  }

  std::optional<Cie> parse_cie(std::size_t at) {
    Reader in(frames_, at);
    std::uint64_t length = in.get<std::uint32_t>();
    if (length == 0xffffffff) in.get<std::uint64_t>();
    if (in.get<std::uint32_t>() != 0) return std::nullopt;
    auto version = in.get<std::uint8_t>();
    if (version != 1 && version != 3) return std::nullopt;
    char augmentation[8] = {};
    for (std::size_t i = 0;; ++i) {
      char c = in.get<char>();
      if (c == 0) break;
      if (i + 1 >= sizeof(augmentation) || !in.ok()) return std::nullopt;
      augmentation[i] = c;
    }
    in.uleb();  // code alignment
    in.sleb();  // data alignment
    if (version == 1)
      in.skip(1);
    else
      in.uleb();
    Cie cie;
    if (augmentation[0] != 'z' && augmentation[0] != 0) return std::nullopt;
    cie.has_augmentation_data = augmentation[0] == 'z';
    if (cie.has_augmentation_data) in.uleb();
    for (const char* a = augmentation + (cie.has_augmentation_data ? 1 : 0); *a; ++a) {
      switch (*a) {
        case 'R':
          cie.pointer_encoding = in.get<std::uint8_t>();
          break;
        case 'L':
          cie.lsda_encoding = in.get<std::uint8_t>();
          break;
        case 'P': {
          auto encoding = in.get<std::uint8_t>();
          read_pointer(in, encoding, 0);
          break;
        }
        case 'S':
          cie.signal_frame = true;
          break;
        default:
          return std::nullopt;
      }
    }
    return in.ok() ? std::optional(cie) : std::nullopt;
  }

  void read_fde(Bytes entry, std::size_t at, std::size_t cie_position) {
    auto cie = cie_at(cie_position);
    if (!cie) return;
    Reader in(entry, at);
    auto begin = read_pointer(in, cie->pointer_encoding, va_ + in.position());
    auto size = read_pointer(in, cie->pointer_encoding & kFormat, 0);
    if (!begin || !size || *begin + *size < *begin) return;
    info_.functions.push_back({*begin, *begin + *size, cie->signal_frame});
    if (!cie->has_augmentation_data) return;
    in.uleb();
    if (auto lsda = read_pointer(in, cie->lsda_encoding, va_ + in.position())) read_lsda(*lsda, *begin);
  }

  void read_lsda(Va lsda, Va function) {
    Reader in(image_.from(lsda));
    auto start_encoding = in.get<std::uint8_t>();
    Va start = read_pointer(in, start_encoding, lsda + in.position()).value_or(function);
    if (in.get<std::uint8_t>() != kOmit) in.uleb();
    auto encoding = in.get<std::uint8_t>();
    std::uint64_t size = in.uleb();
    if (!in.ok() || size > in.left()) return;
    for (std::size_t end = in.position() + size; in.ok() && in.position() < end;) {
      std::size_t before = in.position();
      read_pointer(in, encoding, lsda + in.position());
      read_pointer(in, encoding, lsda + in.position());
      auto pad = read_pointer(in, encoding, lsda + in.position());
      in.uleb();  // action
      if (in.ok() && pad) info_.landing_pads.push_back(start + *pad);
      if (in.position() == before) return;
    }
  }

  const ElfImage& image_;
  Bytes frames_;
  Va va_;
  std::map<std::size_t, std::optional<Cie>> cies_;
  UnwindInfo info_;
};

// Without section headers, .eh_frame is found through PT_GNU_EH_FRAME and ends at its terminator.
std::pair<Bytes, Va> find_frames(const ElfImage& image) {
  if (const Section* s = image.section(".eh_frame"); s && !s->bytes.empty()) return {s->bytes, s->va};
  for (const auto& segment : image.segments()) {
    if (segment.type != PT_GNU_EH_FRAME) continue;
    Reader in(image.from(segment.va));
    in.skip(1);  // version
    auto encoding = in.get<std::uint8_t>();
    in.skip(2);
    if (auto va = read_pointer(in, encoding, segment.va + 4); va && in.ok()) return {image.from(*va), *va};
  }
  return {};
}

}  // namespace

UnwindInfo read_unwind_info(const ElfImage& image) {
  auto [frames, va] = find_frames(image);
  return Parser(image, frames, va).run();
}

}  // namespace tmrec::patch
