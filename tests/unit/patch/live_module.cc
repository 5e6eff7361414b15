#include "tests/unit/patch/live_module.h"

#include <asm/prctl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cstring>
#include <stdexcept>

#include "format/types.h"
#include "tests/unit/patch/modules.h"
#include "tracee/patch/task_area.h"

// Everything that runs between the first changed byte and the last does without libc, which may be what is patched; and
// the handlers use general registers alone, since the vector registers are the program's.
namespace {

using tmrec::patch::SiteKind;
using tmrec::patch::Stop;

constexpr std::size_t kModules = 8;

struct alignas(64) Area {
  std::uint64_t counter, tick_handler, scratch_rcx, stop, scratch_rax, block, special_handler, padding;
  std::uint64_t program_stack, own_stack, resume, instruction;  // 64, 72, 80, 88: the handlers below
};
static_assert(offsetof(Area, block) == tmrec::patch::TaskArea::kBlock);
static_assert(offsetof(Area, stop) == tmrec::patch::TaskArea::kStop);

Area area;
alignas(64) std::uint8_t own_stack[65536];
struct {
  std::uint64_t block;
  const Stop* stops;
  std::size_t count;
} known[kModules];
std::uint64_t slice, passed, special_count, confusions;

extern "C" {
void patch_test_tick();
void patch_test_special();
void patch_test_syscall();
void patch_test_rdtsc();
void patch_test_rdtscp();
void patch_test_cpuid();
void patch_test_xgetbv();
void patch_test_unknown();

[[gnu::used, gnu::target("general-regs-only")]] const Stop* patch_test_find() {
  for (const auto& m : known) {
    if (m.block != area.block || (area.stop & 0xffffffff) >= m.count) continue;
    const Stop* stop = m.stops + (area.stop & 0xffffffff);
    area.resume = m.block + stop->resume;
    return stop;
  }
  ++confusions;
  return nullptr;
}

[[gnu::used, gnu::target("general-regs-only")]] void patch_test_on_tick() {
  const Stop* stop = patch_test_find();
  if (area.counter != 0 || (stop && stop->kind > SiteKind::Call)) ++confusions;
  passed += slice;
  area.counter = slice;
}

[[gnu::used, gnu::target("general-regs-only")]] void patch_test_on_special() {
  const Stop* stop = patch_test_find();
  ++special_count;
  auto code = &patch_test_unknown;
  if (stop && stop->kind == SiteKind::Syscall) code = &patch_test_syscall;
  if (stop && stop->kind == SiteKind::Rdtsc) code = &patch_test_rdtsc;
  if (stop && stop->kind == SiteKind::Rdtscp) code = &patch_test_rdtscp;
  if (stop && stop->kind == SiteKind::Cpuid) code = &patch_test_cpuid;
  if (stop && stop->kind == SiteKind::Xgetbv) code = &patch_test_xgetbv;
  area.instruction = reinterpret_cast<std::uint64_t>(code);
}
}

asm(R"(
	.text
	.macro on_own_stack handler
	movq %rsp, %gs:64
	movq %gs:72, %rsp
	pushfq
	cld
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	call \handler
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	popfq
	movq %gs:64, %rsp
	.endm
patch_test_tick:
	on_own_stack patch_test_on_tick
	jmp *%gs:80
patch_test_special:
	on_own_stack patch_test_on_special
	jmp *%gs:88
patch_test_syscall:
	syscall
	jmp *%gs:80
patch_test_rdtsc:
	rdtsc
	jmp *%gs:80
patch_test_rdtscp:
	rdtscp
	jmp *%gs:80
patch_test_cpuid:
	cpuid
	jmp *%gs:80
patch_test_xgetbv:
	xgetbv
	jmp *%gs:80
patch_test_unknown:
	ud2
)");

long raw_syscall(long number, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d = 0,
                 std::uint64_t e = 0, std::uint64_t f = 0) {
  long result = number;
  register std::uint64_t r10 asm("r10") = d;
  register std::uint64_t r8 asm("r8") = e;
  register std::uint64_t r9 asm("r9") = f;
  asm volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}

void raw_copy(std::uint64_t to, const std::uint8_t* from, std::size_t size) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

}  // namespace

namespace tmrec::patch {

LiveModule prepare(const std::string& name, const PlanOptions& options) {
  struct Search {
    const std::string& name;
    std::string path;
    std::uint64_t bias;
  } search{name, {}, 0};
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        auto& s = *static_cast<Search*>(data);
        if (!std::strstr(info->dlpi_name, s.name.c_str())) return 0;
        s.path = info->dlpi_name;
        s.bias = info->dlpi_addr;
        return 1;
      },
      &search);
  if (search.path.empty()) throw std::runtime_error("not loaded: " + name);
  auto plan = make_plan(contents(search.path), options);
  if (!plan) throw std::runtime_error(plan.error().text);
  const auto* text = reinterpret_cast<const std::uint8_t*>(search.bias + plan->text_va);
  std::vector<std::uint8_t> patched(text, text + plan->text_size);
  plan->apply(patched);
  return {std::move(*plan), search.bias, std::move(patched)};
}

bool patch_this_process(std::vector<LiveModule>& modules, std::uint64_t slice_ticks) {
  slice = slice_ticks;
  area.counter = slice;
  area.tick_handler = reinterpret_cast<std::uint64_t>(&patch_test_tick);
  area.special_handler = reinterpret_cast<std::uint64_t>(&patch_test_special);
  area.own_stack = reinterpret_cast<std::uint64_t>(own_stack + sizeof(own_stack));
  raw_syscall(SYS_arch_prctl, ARCH_SET_GS, reinterpret_cast<std::uint64_t>(&area), 0);
  std::size_t n = 0;
  for (auto& m : modules) {
    std::uint64_t block = m.bias + static_cast<std::uint64_t>(m.plan.block_va);
    long at = raw_syscall(SYS_mmap, block, m.plan.block.size(), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, ~std::uint64_t{0}, 0);
    if (static_cast<std::uint64_t>(at) != block) return false;
    raw_copy(block, m.plan.block.data(), m.plan.block.size());
    raw_syscall(SYS_mprotect, block, m.plan.block.size(), PROT_READ | PROT_EXEC);
    known[n++] = {block, m.plan.stops.data(), m.plan.stops.size()};
  }
  for (auto& m : modules) {
    std::uint64_t text = m.bias + m.plan.text_va, size = page_up(m.patched.size());
    raw_syscall(SYS_mprotect, text, size, PROT_READ | PROT_WRITE | PROT_EXEC);
    raw_copy(text, m.patched.data(), m.patched.size());
    raw_syscall(SYS_mprotect, text, size, PROT_READ | PROT_EXEC);
  }
  return true;
}

std::uint64_t ticks() { return passed + (slice - area.counter); }
std::uint64_t specials() { return special_count; }
bool confused() { return confusions != 0; }

}  // namespace tmrec::patch
