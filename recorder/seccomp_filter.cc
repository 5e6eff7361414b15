#include "recorder/seccomp_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cstring>
#include <vector>

namespace tmrec::recorder {

namespace {

// Classic BPF as Documentation/networking/filter.rst has it, of which seccomp admits loads of words alone.
class Machine {
 public:
  Machine(std::span<const sock_filter> program, std::int32_t number) : program_(program) {
    data_.nr = number;
    data_.arch = AUDIT_ARCH_X86_64;
  }

  // Jumps lead forwards only, so this ends.
  std::optional<std::uint32_t> run() {
    for (std::size_t at = 0; at < program_.size();) {
      const sock_filter& i = program_[at++];
      const std::uint32_t operand = BPF_SRC(i.code) == BPF_X ? x_ : i.k;
      switch (BPF_CLASS(i.code)) {
        case BPF_RET:
          return BPF_RVAL(i.code) == BPF_A ? a_ : i.k;
        case BPF_JMP:
          at += BPF_OP(i.code) == BPF_JA ? i.k : jumps(i.code, operand) ? i.jt : i.jf;
          break;
        case BPF_ALU:
          if (!compute(i.code, operand)) return std::nullopt;
          break;
        case BPF_MISC:
          if (BPF_MISCOP(i.code) == BPF_TAX) {
            x_ = a_;
          } else {
            a_ = x_;
          }
          break;
        case BPF_ST:
        case BPF_STX:
          if (i.k >= words_.size()) return std::nullopt;
          words_[i.k] = BPF_CLASS(i.code) == BPF_ST ? a_ : x_;
          break;
        default:
          if (!load(i)) return std::nullopt;
      }
    }
    return std::nullopt;
  }

 private:
  bool jumps(std::uint16_t code, std::uint32_t operand) const {
    switch (BPF_OP(code)) {
      case BPF_JEQ:
        return a_ == operand;
      case BPF_JGT:
        return a_ > operand;
      case BPF_JGE:
        return a_ >= operand;
      default:
        return (a_ & operand) != 0;
    }
  }

  bool compute(std::uint16_t code, std::uint32_t operand) {
    switch (BPF_OP(code)) {
      case BPF_ADD:
        return a_ += operand, true;
      case BPF_SUB:
        return a_ -= operand, true;
      case BPF_MUL:
        return a_ *= operand, true;
      case BPF_DIV:
        if (operand == 0) return false;
        return a_ /= operand, true;
      case BPF_AND:
        return a_ &= operand, true;
      case BPF_OR:
        return a_ |= operand, true;
      case BPF_XOR:
        return a_ ^= operand, true;
      case BPF_LSH:
        return a_ = operand < 32 ? a_ << operand : 0, true;
      case BPF_RSH:
        return a_ = operand < 32 ? a_ >> operand : 0, true;
      case BPF_NEG:
        return a_ = -a_, true;
      default:
        return false;
    }
  }

  bool load(const sock_filter& i) {
    std::uint32_t& into = BPF_CLASS(i.code) == BPF_LD ? a_ : x_;
    switch (BPF_MODE(i.code)) {
      case BPF_IMM:
        return into = i.k, true;
      case BPF_LEN:
        return into = sizeof data_, true;
      case BPF_MEM:
        if (i.k >= words_.size()) return false;
        return into = words_[i.k], true;
      case BPF_ABS:
        if (i.k % sizeof into != 0 || i.k > sizeof data_ - sizeof into) return false;
        std::memcpy(&into, reinterpret_cast<const char*>(&data_) + i.k, sizeof into);
        return true;
      default:
        return false;
    }
  }

  std::span<const sock_filter> program_;
  seccomp_data data_{};
  std::uint32_t a_ = 0, x_ = 0;
  std::array<std::uint32_t, BPF_MEMWORDS> words_{};
};

}  // namespace

std::optional<std::uint32_t> run_filter(std::span<const sock_filter> program, std::int32_t number) {
  return Machine(program, number).run();
}

bool makes_taken_back_calls_fatal(std::int64_t number, std::span<const std::uint64_t> args,
                                  const tracee::RemoteMemory& memory) {
  const bool by_prctl = number == SYS_prctl && args[0] == PR_SET_SECCOMP;
  if (!by_prctl && number != SYS_seccomp) return false;
  const std::uint64_t strict = by_prctl ? std::uint64_t{SECCOMP_MODE_STRICT} : std::uint64_t{SECCOMP_SET_MODE_STRICT};
  const std::uint64_t filters = by_prctl ? std::uint64_t{SECCOMP_MODE_FILTER} : std::uint64_t{SECCOMP_SET_MODE_FILTER};
  const std::uint64_t mode = by_prctl ? args[1] : args[0];
  if (mode == strict) return true;
  if (mode != filters) return false;
  const auto given = memory.get<sock_fprog>(RemoteAddr(args[2]));
  if (!given || given->len == 0 || given->len > BPF_MAXINSNS) return false;
  std::vector<sock_filter> program(given->len);
  if (!memory.read(reinterpret_cast<std::uint64_t>(given->filter), program.data(),
                   program.size() * sizeof(sock_filter)))
    return false;
  const auto verdict = run_filter(program, -1);
  if (!verdict) return false;
  const std::uint32_t action = *verdict & SECCOMP_RET_ACTION_FULL;
  return action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG && action != SECCOMP_RET_ERRNO &&
         action != SECCOMP_RET_TRACE;
}

}  // namespace tmrec::recorder
