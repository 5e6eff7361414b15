#include "replayer/motion.h"

namespace tmrec::replayer {

bool comes_by_itself(const Event& event, bool in_call) {
  if (const auto* call = std::get_if<SyscallEvent>(&event.body)) return call->phase != SyscallEvent::Phase::Exit;
  if (const auto* signal = std::get_if<SignalEvent>(&event.body)) {
    return signal->synchronous || (signal->at_syscall && !in_call);
  }
  return begins_tick(event);
}

bool sets_task(const Event& event) {
  if (const auto* call = std::get_if<SyscallEvent>(&event.body)) return call->phase != SyscallEvent::Phase::Enter;
  if (const auto* signal = std::get_if<SignalEvent>(&event.body)) {
    return signal->action == SignalEvent::Action::Handler;
  }
  return std::holds_alternative<InstructionEvent>(event.body);
}

bool begins_tick(const Event& event) {
  return std::holds_alternative<TickEvent>(event.body) || std::holds_alternative<InstructionEvent>(event.body);
}

}  // namespace tmrec::replayer
