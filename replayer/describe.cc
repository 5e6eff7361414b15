#include "replayer/describe.h"

#include <fmt/format.h>

#include "syscalls/print.h"

namespace tmrec::replayer {

namespace {

template <class Each>
void each_difference(const Regs& actual, const Regs& expected, Each&& each) {
#define X(name) \
  if (actual.name != expected.name) each(#name, actual.name, expected.name);
  TMREC_REGISTERS(X)
#undef X
}

}  // namespace

std::string first_difference(const Regs& actual, const Regs& expected) {
  std::string text;
  if (actual.rip != expected.rip) return fmt::format("at {:#x}, recorded {:#x}", actual.rip, expected.rip);
  each_difference(actual, expected, [&](const char* name, std::uint64_t a, std::uint64_t e) {
    if (text.empty()) text = fmt::format("{} is {:#x}, recorded {:#x} (at {:#x})", name, a, e, actual.rip);
  });
  return text;
}

std::string differing_registers(const Regs& actual, const Regs& expected) {
  std::string text;
  each_difference(actual, expected, [&](const char* name, std::uint64_t a, std::uint64_t e) {
    text += fmt::format("  {:8} replayed {:#018x}  recorded {:#018x}\n", name, a, e);
  });
  return text;
}

std::string one_line(const Event& event) {
  std::string text = std::visit(
      [](const auto& body) -> std::string {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, SyscallEvent>) return syscalls::describe(body);
        if constexpr (std::is_same_v<Body, SignalEvent>) return syscalls::describe(body);
        if constexpr (std::is_same_v<Body, SwitchEvent>) return fmt::format("switch to {}", body.to.value);
        if constexpr (std::is_same_v<Body, CloneEvent>) return fmt::format("new task {}", body.child.value);
        if constexpr (std::is_same_v<Body, ExecEvent>) return fmt::format("executes {}", body.program);
        if constexpr (std::is_same_v<Body, AttachEvent>) return fmt::format("joins {}", body.program);
        if constexpr (std::is_same_v<Body, StartEvent>)
          return fmt::format("starting point of {} processes", body.processes.size());
        if constexpr (std::is_same_v<Body, GapEvent>) return fmt::format("a gap: {}", body.reason);
        if constexpr (std::is_same_v<Body, ExitEvent>) return fmt::format("exit, status {:#x}", body.status);
        if constexpr (std::is_same_v<Body, InstructionEvent>)
          return fmt::format("trapping instruction at {:#x}", body.before.rip);
        if constexpr (std::is_same_v<Body, CheckEvent>) return fmt::format("memory check at {:#x}", body.regs.rip);
        if constexpr (std::is_same_v<Body, TickEvent>) return fmt::format("tick at {:#x}", body.regs.rip);
        if constexpr (std::is_same_v<Body, PatchEvent>)
          return fmt::format("patch {} of {} at {:#x}", static_cast<int>(body.kind), body.module, body.text.value);
        if constexpr (std::is_same_v<Body, EndEvent>) return fmt::format("end of the recording {}", body.reason);
      },
      event.body);
  return fmt::format("{:8} {:7} {:9} {}", event.no.value, event.tid.value, event.ticks.value, text);
}

}  // namespace tmrec::replayer
