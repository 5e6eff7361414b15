#include "recorder/early_binding.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace tmrec::recorder {

namespace {

constexpr std::size_t kMaxWords = 1 << 20;  // far more than ARG_MAX allows

// What the dynamic linker reads must stay.
bool is_for_the_linker(const std::string& variable) {
  return variable.starts_with("LD_") || variable.starts_with("GLIBC_TUNABLES=") || variable.starts_with("MALLOC_");
}

}  // namespace

std::optional<InitialStack> read_initial_stack(const tracee::RemoteMemory& program, std::uint64_t rsp) {
  tracee::ReadAhead memory(program);
  InitialStack stack;
  auto count = memory.get<std::uint64_t>(RemoteAddr(rsp));
  if (!count || *count > kMaxWords) return std::nullopt;
  RemoteAddr at(rsp + 8 * (*count + 2));  // behind argc, the arguments and their null
  for (std::size_t i = 0; i < kMaxWords; ++i, at = at + 8) {
    auto word = memory.get<std::uint64_t>(at);
    if (!word) return std::nullopt;
    if (*word == 0) break;
    stack.environment.push_back(at);
  }
  at = at + 8;
  for (std::size_t i = 0; i < kMaxWords; ++i, at = at + 16) {
    auto type = memory.get<std::uint64_t>(at);
    auto value = memory.get<std::uint64_t>(at + 8);
    if (!type || !value) return std::nullopt;
    if (*type == AT_NULL) break;
    stack.auxiliary.push_back({at, *type, *value});
  }
  return stack;
}

std::optional<HiddenVariable> bind_early(const tracee::RemoteMemory& memory, std::uint64_t rsp, RemoteAddr variable) {
  auto stack = read_initial_stack(memory, rsp);
  if (!stack) return std::nullopt;
  bool has_linker = std::any_of(stack->auxiliary.begin(), stack->auxiliary.end(),
                                [](const auto& entry) { return entry.type == AT_BASE && entry.value != 0; });
  if (!has_linker) return std::nullopt;
  for (auto slot = stack->environment.rbegin(); slot != stack->environment.rend(); ++slot) {
    auto original = memory.get<std::uint64_t>(*slot);
    auto text = original ? memory.read_string(RemoteAddr(*original), 32) : std::nullopt;
    if (!text || is_for_the_linker(*text)) continue;
    if (!memory.write(slot->value, &variable.value, sizeof variable.value)) return std::nullopt;
    return HiddenVariable{*slot, *original};
  }
  return std::nullopt;
}

Extent take_back(const tracee::RemoteMemory& memory, const HiddenVariable& hidden) {
  memory.write(hidden.slot.value, &hidden.original, sizeof hidden.original);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&hidden.original);
  return Extent{hidden.slot, Bytes(bytes, bytes + sizeof hidden.original), false};
}

}  // namespace tmrec::recorder
