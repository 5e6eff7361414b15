#include "tracee/vdso.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "tracee/proc.h"

namespace tmrec::tracee {

namespace {

struct Entry {
  std::string_view name;
  std::int32_t syscall;  // -1: the entry answers ENOSYS, and its callers use the system call
};

// Symbols of arch/x86/entry/vdso/vdso.lds.S; each also exists without the "__vdso_" prefix.
constexpr std::array<Entry, 7> kEntries{{
    {"clock_gettime", SYS_clock_gettime},
    {"gettimeofday", SYS_gettimeofday},
    {"clock_getres", SYS_clock_getres},
    {"time", SYS_time},
    {"getcpu", SYS_getcpu},
    {"getrandom", -1},
    {"sgx_enter_enclave", -1},
}};

constexpr std::uint64_t kGadgetOffset = 24;  // behind the bytes of the replaced entry
constexpr std::uint64_t kStringOffset = 32;
constexpr std::array<std::uint8_t, 8> kGadget{0x0f, 0x05, 0x31, 0xd2, 0xff, 0x64, 0x24, 0xf8};
constexpr char kBindNow[] = "LD_BIND_NOW=1";
constexpr std::uint64_t kGadgetRoom = kStringOffset + sizeof kBindNow;

Bytes replacement(std::int32_t number) {
  if (number < 0) return {0x48, 0xc7, 0xc0, 0xda, 0xff, 0xff, 0xff, 0xc3};  // mov $-ENOSYS,%rax; ret
  Bytes code{0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3};                           // mov $nr,%eax; syscall; ret
  std::memcpy(&code[1], &number, sizeof number);
  return code;
}

// The table of dynamic symbols, with its strings, inside `image`; nullopt when the image is not what we know.
struct Symbols {
  std::uint64_t at, count, strings, strings_size;
};
std::optional<Symbols> find_symbols(const Bytes& image) {
  Elf64_Ehdr header;
  if (image.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, image.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_shentsize != sizeof(Elf64_Shdr))
    return std::nullopt;
  auto section = [&](std::uint64_t index) -> std::optional<Elf64_Shdr> {
    std::uint64_t at = header.e_shoff + index * sizeof(Elf64_Shdr);
    if (index >= header.e_shnum || at > image.size() || image.size() - at < sizeof(Elf64_Shdr)) return std::nullopt;
    Elf64_Shdr found;
    std::memcpy(&found, image.data() + at, sizeof found);
    if (found.sh_offset > image.size() || found.sh_size > image.size() - found.sh_offset) return std::nullopt;
    return found;
  };
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    auto table = section(i);
    if (!table || table->sh_type != SHT_DYNSYM) continue;
    auto strings = section(table->sh_link);
    if (!strings) return std::nullopt;
    return Symbols{table->sh_offset, table->sh_size / sizeof(Elf64_Sym), strings->sh_offset, strings->sh_size};
  }
  return std::nullopt;
}

const Entry* entry_named(std::string_view symbol) {
  constexpr std::string_view kPrefix = "__vdso_";
  if (symbol.starts_with(kPrefix)) symbol.remove_prefix(kPrefix.size());
  for (const Entry& entry : kEntries) {
    if (entry.name == symbol) return &entry;
  }
  return nullptr;
}

constexpr std::size_t kLeadSize = 21;
static_assert(kLeadSize <= kGadgetOffset);

// mov $nr,%eax; movabs $target,%r11; call *%r11; syscall; ret
Bytes lead(std::int32_t number, std::uint64_t target) {
  Bytes code{0xb8, 0, 0, 0, 0, 0x49, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0xff, 0xd3, 0x0f, 0x05, 0xc3};
  std::memcpy(&code[1], &number, sizeof number);
  std::memcpy(&code[7], &target, sizeof target);
  return code;
}

// Calls f(entry, offset in the image, size) for each function that is known.
template <class F>
bool each_entry(const Bytes& image, F&& f) {
  auto symbols = find_symbols(image);
  if (!symbols) return false;
  for (std::uint64_t i = 0; i < symbols->count; ++i) {
    Elf64_Sym symbol;
    std::memcpy(&symbol, image.data() + symbols->at + i * sizeof symbol, sizeof symbol);
    if (symbol.st_name >= symbols->strings_size || ELF64_ST_TYPE(symbol.st_info) != STT_FUNC) continue;
    const char* name = reinterpret_cast<const char*>(image.data() + symbols->strings + symbol.st_name);
    const Entry* entry = entry_named({name, strnlen(name, symbols->strings_size - symbol.st_name)});
    if (entry == nullptr || symbol.st_value >= image.size() || symbol.st_size < 8) continue;
    if (!f(*entry, symbol.st_value, symbol.st_size)) return false;
  }
  return true;
}

}  // namespace

void lead_vdso_to(const RemoteMemory& memory, RemoteAddr start, std::uint64_t size, std::uint64_t target) {
  each_entry(memory.read_some(start, size), [&](const Entry& entry, std::uint64_t at, std::uint64_t room) {
    if (entry.syscall < 0 || room < kLeadSize) return true;
    const Bytes code = target != 0 ? lead(entry.syscall, target) : replacement(entry.syscall);
    return memory.write(start.value + at, code.data(), code.size());
  });
}

std::optional<PatchedVdso> patch_vdso(const RemoteMemory& memory, RemoteAddr start, std::uint64_t size) {
  std::optional<PatchedVdso> patched;
  const bool known =
      each_entry(memory.read_some(start, size), [&](const Entry& entry, std::uint64_t offset, std::uint64_t room) {
        const RemoteAddr at = start + offset;
        const Bytes code = replacement(entry.syscall);
        if (!memory.write(at.value, code.data(), code.size())) return false;
        if (!patched && room >= kGadgetRoom && memory.write(at.value + kGadgetOffset, kGadget.data(), kGadget.size()) &&
            memory.write(at.value + kStringOffset, kBindNow, sizeof kBindNow)) {
          patched = PatchedVdso{at + kGadgetOffset, at + kStringOffset};
        }
        return true;
      });
  if (!known) return std::nullopt;
  return patched;
}

bool redirect_vdso(const RemoteMemory& memory, RemoteAddr start, std::uint64_t size) {
  return each_entry(memory.read_some(start, size), [&](const Entry& entry, std::uint64_t offset, std::uint64_t) {
    const Bytes code = replacement(entry.syscall);
    return memory.write(start.value + offset, code.data(), code.size());
  });
}

OwnVdso own_vdso() {
  const auto* own = reinterpret_cast<const std::uint8_t*>(getauxval(AT_SYSINFO_EHDR));
  const auto maps = read_maps(getpid());
  if (own == nullptr || !maps) return {};
  const auto here = std::ranges::find(*maps, "[vdso]", &MapsLine::name);
  if (here == maps->end()) return {};
  OwnVdso found;
  found.image.assign(own, own + (here->end - here->start));
  const bool known = each_entry(found.image, [&](const Entry& entry, std::uint64_t offset, std::uint64_t) {
    if (entry.syscall == SYS_clock_gettime) found.clock_gettime = offset;
    if (entry.syscall == SYS_gettimeofday) found.gettimeofday = offset;
    return true;
  });
  return known ? found : OwnVdso();
}

bool restore_vdso(const RemoteMemory& memory, RemoteAddr start, std::uint64_t size) {
  const Bytes ours = own_vdso().image, theirs = memory.read_some(start, size);
  if (ours.empty() || ours.size() != size) return false;
  const auto symbols = find_symbols(ours), same = find_symbols(theirs);
  if (!symbols || !same || symbols->at != same->at || symbols->count != same->count) return false;
  const std::size_t head = symbols->strings + symbols->strings_size;
  if (head > ours.size() || head > theirs.size() ||
      !std::equal(ours.begin(), ours.begin() + static_cast<std::ptrdiff_t>(head), theirs.begin()))
    return false;
  return theirs == ours || memory.write(start.value, ours.data(), ours.size());
}

Regs out_of_vdso(const RemoteMemory& memory, RemoteAddr start, std::uint64_t size, const Regs& regs) {
  Regs out = regs;
  if (regs.rip < start.value || regs.rip >= start.value + size) return out;
  constexpr std::uint64_t kCall = 5, kBehindCall = 7, kEnd = 8;  // in replacement()
  each_entry(memory.read_some(start, size), [&](const Entry& entry, std::uint64_t offset, std::uint64_t) {
    const std::uint64_t at = start.value + offset;
    if (regs.rip <= at || regs.rip >= at + kEnd) return true;
    const bool done = entry.syscall < 0 || regs.rip >= at + kBehindCall;
    if (entry.syscall >= 0 && regs.rip != at + kCall && regs.rip != at + kBehindCall) return true;
    out.rip = at;
    if (!done) return false;
    const auto back = memory.get<std::uint64_t>(RemoteAddr(regs.rsp));
    if (!back) return false;
    out.rip = *back;
    out.rsp += sizeof *back;
    return false;
  });
  return out;
}

bool is_call_gadget(const RemoteMemory& memory, RemoteAddr at) {
  auto code = memory.get<std::array<std::uint8_t, 8>>(at);
  return code && *code == kGadget;
}

}  // namespace tmrec::tracee
