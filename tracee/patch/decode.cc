#include "tracee/patch/decode.h"

#include <algorithm>
#include <array>

namespace tmrec::patch {

namespace {

// What follows an opcode.
enum Form : std::uint8_t {
  N,  // nothing
  M,  // ModRM
  B,  // ModRM and an 8-bit immediate
  Z,  // ModRM and an immediate of operand size, at most 32 bits
  b,  // 8-bit immediate
  w,  // 16-bit immediate
  e,  // 16- and 8-bit immediate
  z,  // immediate of operand size, at most 32 bits
  v,  // immediate of operand size, up to 64 bits
  a,  // absolute address
  r,  // 32-bit displacement of a branch
  s,  // 8-bit displacement of a branch
  g,  // group 3: ModRM, and an immediate for /0 and /1
  X,  // invalid, or handled apart (prefixes, escapes)
};

constexpr std::array<Form, 256> kOneByte = {
    M, M, M, M, b, z, X, X, M, M, M, M, b, z, X, X,  // 00
    M, M, M, M, b, z, X, X, M, M, M, M, b, z, X, X,  // 10
    M, M, M, M, b, z, X, X, M, M, M, M, b, z, X, X,  // 20
    M, M, M, M, b, z, X, X, M, M, M, M, b, z, X, X,  // 30
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,  // 40
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,  // 50
    X, X, X, M, X, X, X, X, z, Z, b, B, N, N, N, N,  // 60
    s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s,  // 70
    B, Z, X, B, M, M, M, M, M, M, M, M, M, M, M, M,  // 80
    N, N, N, N, N, N, N, N, N, N, X, N, N, N, N, N,  // 90
    a, a, a, a, N, N, N, N, b, z, N, N, N, N, N, N,  // a0
    b, b, b, b, b, b, b, b, v, v, v, v, v, v, v, v,  // b0
    B, B, w, N, X, X, B, Z, e, N, w, N, N, b, X, N,  // c0
    M, M, M, M, X, X, X, N, M, M, M, M, M, M, M, M,  // d0
    s, s, s, s, b, b, b, b, r, r, X, s, N, N, N, N,  // e0
    X, N, X, X, N, N, g, g, N, N, N, N, N, N, M, M,  // f0
};

constexpr std::array<Form, 256> kTwoByte = {
    M, M, M, M, X, N, N, N, N, N, X, N, X, M, X, X,  // 00
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,  // 10
    M, M, M, M, X, X, X, X, M, M, M, M, M, M, M, M,  // 20
    N, N, N, N, N, N, X, N, X, X, X, X, X, X, X, X,  // 30
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,  // 40
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,  // 50
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,  // 60
    B, B, B, B, M, M, M, N, M, M, X, X, M, M, M, M,  // 70
    r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r,  // 80
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,  // 90
    N, N, N, M, B, M, X, X, N, N, N, M, B, M, M, M,  // a0
    M, M, M, M, M, M, M, M, M, M, B, M, M, M, M, M,  // b0
    M, M, B, M, B, B, B, M, N, N, N, N, N, N, N, N,  // c0
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,  // d0
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,  // e0
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,  // f0
};

// The immediates of VEX and EVEX instructions follow their legacy opcode maps 0f, 0f38 and 0f3a.
std::optional<Form> vector_form(unsigned map, std::uint8_t opcode, bool evex) {
  switch (map) {
    case 1:
      return kTwoByte[opcode] == r || kTwoByte[opcode] == X ? M : kTwoByte[opcode];
    case 2:
      return M;
    case 3:
      return B;
    case 5:
    case 6:
      return evex ? std::optional(M) : std::nullopt;
    default:
      return std::nullopt;
  }
}

struct Prefixes {
  bool operand_size = false, address_size = false, lock = false, repeat = false, repeat_not = false, gs = false;
  std::uint8_t rex = 0;
};

class Decoder {
 public:
  Decoder(Bytes bytes, std::uint32_t at) : bytes_(bytes.first(std::min<std::size_t>(bytes.size(), 15))) {
    insn_.at = at;
  }

  std::optional<Insn> run() {
    read_prefixes();
    insn_.opcode = static_cast<std::uint8_t>(at_);
    std::uint8_t op = next();
    std::optional<Form> form;
    if (op == 0x62 || op == 0xc4 || op == 0xc5) {
      form = vector(op);
    } else if (op == 0x0f) {
      form = two_byte();
    } else if (op == 0x8f && at_ < bytes_.size() && (bytes_[at_] & 0x1f) >= 8) {
      form = xop();
    } else {
      form = kOneByte[op];
      read_operands(*form);
      insn_.kind = one_byte_kind(op);
    }
    if (!form || *form == X || failed_) return std::nullopt;
    insn_.length = static_cast<std::uint8_t>(at_);
    insn_.gs = uses_gs(op);
    insn_.odd = prefixes_.address_size || ((prefixes_.operand_size || prefixes_.lock) && branches());
    return insn_;
  }

 private:
  std::uint8_t next() {
    if (at_ >= bytes_.size()) {
      failed_ = true;
      return 0;
    }
    return bytes_[at_++];
  }
  void skip(std::size_t n) {
    if (n > bytes_.size() - at_)
      failed_ = true;
    else
      at_ += n;
  }

  bool branches() const { return insn_.kind >= Kind::JccShort && insn_.kind <= Kind::Ret; }

  // Padding may carry a prefix for its length alone, and an address is no access.
  bool uses_gs(std::uint8_t op) const {
    if (insn_.kind == Kind::Nop || insn_.kind == Kind::Endbr) return false;
    if (op == 0x8e) return reg() == 5;  // mov to %gs
    if (op == 0x0f) {
      const std::uint8_t second = bytes_[insn_.opcode + 1u];
      if (second == 0x01 && modrm_ == 0xf8) return true;  // swapgs
      if (second == 0xa9 || second == 0xb5) return true;  // pop %gs, lgs
      if (second == 0xae && prefixes_.repeat && has_register_operand() && (reg() == 1 || reg() == 3)) return true;
    }
    const bool implied =
        (op >= 0xa0 && op <= 0xa7) || op == 0xac || op == 0xad || op == 0x6e || op == 0x6f || op == 0xd7;
    return prefixes_.gs && op != 0x8d && (memory_ || implied);
  }

  void read_prefixes() {
    for (; at_ < bytes_.size(); ++at_) {
      switch (std::uint8_t p = bytes_[at_]) {
        case 0x66:
          prefixes_.operand_size = true;
          break;
        case 0x67:
          prefixes_.address_size = true;
          break;
        case 0xf0:
          prefixes_.lock = true;
          break;
        case 0xf2:
          prefixes_.repeat_not = true;
          break;
        case 0xf3:
          prefixes_.repeat = true;
          break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
          break;
        case 0x65:
          prefixes_.gs = true;
          break;
        default:
          if ((p & 0xf0) != 0x40) return;
          // Only a REX directly before the opcode counts.
          prefixes_.rex = p;
          continue;
      }
      prefixes_.rex = 0;
    }
  }

  void read_modrm() {
    modrm_ = next();
    unsigned mod = modrm_ >> 6, rm = modrm_ & 7;
    if (mod == 3) return;
    memory_ = true;
    std::uint8_t sib = rm == 4 ? next() : 0;
    if (mod == 0 && rm == 5) {
      insn_.rip_displacement = static_cast<std::uint8_t>(at_);
      skip(4);
    } else if (mod == 2 || (mod == 0 && rm == 4 && (sib & 7) == 5)) {
      skip(4);
    } else if (mod == 1) {
      skip(1);
    }
  }

  void immediate(unsigned n) {
    insn_.immediate = static_cast<std::uint8_t>(n);
    skip(n);
  }

  void read_operands(Form form) {
    unsigned word = prefixes_.operand_size && !(prefixes_.rex & 8) ? 2 : 4;
    switch (form) {
      case N:
      case X:
        break;
      case M:
        read_modrm();
        break;
      case B:
        read_modrm();
        immediate(1);
        break;
      case Z:
        read_modrm();
        immediate(word);
        break;
      case b:
        immediate(1);
        break;
      case w:
        immediate(2);
        break;
      case e:
        immediate(3);
        break;
      case z:
        immediate(word);
        break;
      case v:
        immediate(prefixes_.rex & 8 ? 8 : word);
        break;
      case a:
        immediate(prefixes_.address_size ? 4 : 8);
        break;
      case r:
        skip(4);
        break;
      case s:
        skip(1);
        break;
      case g:
        read_modrm();
        if ((modrm_ >> 3 & 7) < 2) immediate(bytes_[at_opcode()] == 0xf6 ? 1 : word);
        break;
    }
  }
  std::size_t at_opcode() const { return insn_.opcode; }
  unsigned reg() const { return modrm_ >> 3 & 7; }
  bool has_register_operand() const { return modrm_ >> 6 == 3; }

  std::optional<Form> vector(std::uint8_t escape) {
    if (prefixes_.rex || prefixes_.operand_size || prefixes_.repeat || prefixes_.repeat_not || prefixes_.lock) {
      return std::nullopt;
    }
    unsigned map = 1;
    if (escape == 0xc5) {
      next();
    } else {
      map = next() & (escape == 0x62 ? 0x07 : 0x1f);
      next();
      if (escape == 0x62) next();
    }
    std::uint8_t op = next();
    auto form = vector_form(map, op, escape == 0x62);
    if (form) read_operands(*form);
    return form;
  }

  // AMD APM volume 3, 1.2.7; hand-written assembly still holds them behind a test of the CPU.
  std::optional<Form> xop() {
    unsigned map = next() & 0x1f;
    skip(2);
    if (map > 10) return std::nullopt;
    read_modrm();
    if (map != 9) immediate(map == 8 ? 1 : 4);
    return M;
  }

  std::optional<Form> two_byte() {
    std::uint8_t op = next();
    if (op == 0x38 || op == 0x3a) {
      next();
      Form form = op == 0x38 ? M : B;
      read_operands(form);
      return form;
    }
    Form form = kTwoByte[op];
    read_operands(form);
    insn_.kind = two_byte_kind(op);
    return form;
  }

  Kind one_byte_kind(std::uint8_t op) const {
    if (op >= 0x70 && op <= 0x7f) return Kind::JccShort;
    if (op >= 0xd8 && op <= 0xdf) return Kind::X87;
    if (op >= 0xe0 && op <= 0xe3) return Kind::Loop;
    switch (op) {
      case 0x90:
        return prefixes_.rex & 1 ? Kind::Plain : Kind::Nop;  // pause included
      case 0x9a:
      case 0xca:
      case 0xcb:
      case 0xcf:
      case 0xea:
        return Kind::FarTransfer;
      case 0x9b:
        return Kind::X87;
      case 0xc2:
      case 0xc3:
        return Kind::Ret;
      case 0xc7:
        return modrm_ == 0xf8 ? Kind::Xbegin : Kind::Plain;
      case 0xcd:
        return at_ > 0 && bytes_[at_ - 1] == 0x80 ? Kind::Syscall : Kind::Trap;
      case 0xcc:
      case 0xf1:
      case 0xf4:
        return Kind::Trap;
      case 0xe8:
        return Kind::Call;
      case 0xe9:
        return Kind::JmpNear;
      case 0xeb:
        return Kind::JmpShort;
      case 0xff:
        if (reg() == 2) return Kind::CallIndirect;
        if (reg() == 4) return Kind::JmpIndirect;
        return reg() == 3 || reg() == 5 ? Kind::FarTransfer : Kind::Plain;
      default:
        return Kind::Plain;
    }
  }

  Kind two_byte_kind(std::uint8_t op) const {
    if (op >= 0x80 && op <= 0x8f) return Kind::JccNear;
    switch (op) {
      case 0x00:
        return reg() < 2 ? Kind::StoreSystem : Kind::Plain;
      case 0x01:
        if (modrm_ == 0xd0) return Kind::Xgetbv;
        if (modrm_ == 0xf9) return Kind::Rdtscp;
        if (modrm_ == 0xfd) return Kind::Rdpru;
        return reg() == 4 || (reg() < 2 && !has_register_operand()) ? Kind::StoreSystem : Kind::Plain;
      case 0x05:
      case 0x34:
        return Kind::Syscall;
      case 0x07:
      case 0x35:
        return Kind::FarTransfer;
      case 0x0b:
      case 0xb9:
      case 0xff:
        return Kind::Trap;
      case 0x1e:
        return prefixes_.repeat && modrm_ == 0xfa ? Kind::Endbr : has_register_operand() ? Kind::Plain : Kind::Nop;
      case 0x1f:
        return Kind::Nop;
      case 0x31:
        return Kind::Rdtsc;
      case 0x33:
        return Kind::Rdpmc;
      case 0xa2:
        return Kind::Cpuid;
      case 0xc7:
        if (!has_register_operand()) return Kind::Plain;
        if (reg() == 6) return Kind::Rdrand;
        if (reg() == 7) return prefixes_.repeat ? Kind::Rdpid : Kind::Rdseed;
        return Kind::Plain;
      default:
        return Kind::Plain;
    }
  }

  Bytes bytes_;
  std::size_t at_ = 0;
  std::uint8_t modrm_ = 0;
  Prefixes prefixes_;
  Insn insn_;
  bool memory_ = false;  // ModRM names memory
  bool failed_ = false;
};

}  // namespace

std::optional<Insn> decode(Bytes bytes, std::uint32_t at) { return Decoder(bytes, at).run(); }

std::int64_t branch_displacement(const Insn& insn, Bytes bytes) {
  if (is_short_branch(insn.kind)) return static_cast<std::int8_t>(bytes[insn.length - 1u]);
  std::int32_t value = 0;
  std::memcpy(&value, bytes.data() + insn.length - 4, sizeof(value));
  return value;
}

std::int64_t rip_displacement(const Insn& insn, Bytes bytes) {
  std::int32_t value = 0;
  std::memcpy(&value, bytes.data() + insn.rip_displacement, sizeof(value));
  return value;
}

}  // namespace tmrec::patch
