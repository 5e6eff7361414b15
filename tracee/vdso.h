// The vdso reads the clock and the CPU number without a system call, so its results would go unrecorded; and once
// PR_SET_TSC makes rdtsc fault, it faults too. Each of its entries is therefore overwritten, in the tracee's private
// copy, with the real system call it stands for. Rejected: hiding AT_SYSINFO_EHDR, which a program that was handed the
// vdso's address by other means (a checkpointed process, a Go runtime) doesn't see; it remains the fall-back.
#pragma once

#include <cstdint>
#include <optional>

#include "format/result.h"
#include "tracee/remote_memory.h"

namespace tmrec::tracee {

struct PatchedVdso {
  // Address of instructions for remote calls (remote_call.h): syscall; xor %edx,%edx; jmp *-8(%rsp).
  RemoteAddr call_gadget;
  // A string "LD_BIND_NOW=1" (recorder/early_binding.h).
  RemoteAddr bind_now;
};

// `start`, `size`: the [vdso] mapping. nullopt: an image of unknown form, left as it was.
std::optional<PatchedVdso> patch_vdso(const RemoteMemory& memory, RemoteAddr start, std::uint64_t size);

// The same for a program in the middle of its life: nothing is added to the image. No task may stand in it.
bool redirect_vdso(const RemoteMemory& memory, RemoteAddr start, std::uint64_t size);

// Makes the image what the kernel maps, which is what the calling process has. False: it is another image. Tasks that
// stand in one of its functions must have been set to another place (out_of_vdso).
bool restore_vdso(const RemoteMemory& memory, RemoteAddr start, std::uint64_t size);

// Where a task that stands in the middle of a function of the patched image goes on in any image: at the function's
// beginning, or in its caller.
Regs out_of_vdso(const RemoteMemory& memory, RemoteAddr start, std::uint64_t size, const Regs& regs);

// The functions that stand for system calls call `target` first, with the number in eax, r11, rcx and flags being free;
// `syscall` and `ret` stand behind that. 0: they are as patch_vdso left them, but who is behind the call stays there.
void lead_vdso_to(const RemoteMemory& memory, RemoteAddr start, std::uint64_t size, std::uint64_t target);
// More than any vdso has.
inline constexpr std::uint64_t kMostOfVdso = 4 * 4096;

// The image as the kernel maps it, and where in it functions are. Empty: there is none, or it is of unknown form.
struct OwnVdso {
  Bytes image;
  std::uint64_t clock_gettime = 0, gettimeofday = 0;  // offsets; 0: not there
};
OwnVdso own_vdso();

// Whether `at` holds such instructions.
bool is_call_gadget(const RemoteMemory& memory, RemoteAddr at);

}  // namespace tmrec::tracee
