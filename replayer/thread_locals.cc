// Where thread-local variables are.
//
// A thread's register fs points to its descriptor, whose second word is the vector of the blocks of all modules ("dtv",
// Drepper, ELF Handling For Thread-Local Storage, 3.4.2), each entry two words in glibc. Which module a variable is in,
// its link_map says, in a field whose place glibc describes for debuggers (nptl_db): size in bits, count, and offset,
// 4 bytes each. Rejected: libthread_db, which wants to be loaded for exactly the glibc that was recorded.
#include "replayer/debug_target.h"

namespace tmrec::replayer {

namespace {

constexpr const char* kModuleField = "_thread_db_link_map_l_tls_modid";
constexpr std::uint64_t kVector = 8, kEntry = 16, kUnallocated = ~std::uint64_t{0};

}  // namespace

std::vector<std::string> DebugTarget::wanted_symbols() { return {kModuleField}; }

void DebugTarget::symbol_is(const std::string& name, std::optional<RemoteAddr> at) {
  if (name == kModuleField) module_field_ = at;
}

Result<RemoteAddr> DebugTarget::thread_local_address(Tid thread, std::uint64_t offset, RemoteAddr link_map) {
  TMREC_TRY(const Task* const of, task(thread));
  const tracee::RemoteMemory& memory = of->space->memory();
  std::uint64_t module = 1;  // the program itself, if it is static
  if (link_map.value != 0) {
    const auto field = module_field_ ? memory.get<std::uint32_t>(*module_field_ + 8) : std::nullopt;
    const auto number = field ? memory.get<std::uint64_t>(link_map + *field) : std::nullopt;
    if (!number) return fail(ErrorKind::NotFound, "the C library does not say where its thread-local variables are");
    module = *number;
  }
  const auto vector = memory.get<std::uint64_t>(RemoteAddr(of->regs.fs_base + kVector));
  const auto block = vector ? memory.get<std::uint64_t>(RemoteAddr(*vector + module * kEntry)) : std::nullopt;
  if (!block || *block == 0) return fail(ErrorKind::NotFound, "the thread has no thread-local variables yet");
  if (*block == kUnallocated) {
    return fail(ErrorKind::NotFound, "this thread has not used these thread-local variables yet");
  }
  return RemoteAddr(*block + offset);
}

}  // namespace tmrec::replayer
