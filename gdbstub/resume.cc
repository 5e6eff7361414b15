// Commands that move the process through its history, and what is said about where it stopped.
#include <sys/wait.h>

#include <fmt/format.h>

#include "gdbstub/signals.h"
#include "gdbstub/stub.h"

namespace tmrec::gdbstub {

// The history is what it is: which threads may run, and which signals they get, has been decided. So of all actions
// only those that step tell something: when to stop.
std::string Stub::resume_by_v_cont(std::string_view actions) {
  Resume how;
  bool any = false;
  for (Cursor list(actions); !list.done();) {
    Cursor action(list.until(';'));
    const std::string_view word = action.until(':');
    const std::string_view id = action.rest();
    if (word.empty()) return error_reply("vCont without an action");
    const auto named = id.empty() ? ThreadId{} : thread(id);
    if (!named) return error_reply("no such thread");
    if (!how.process) how.process = named->process;
    switch (word.front()) {
      case 'c':
      case 'C':
        break;
      case 's':
      case 'S':
      case 'r': {
        const Tid stepping = named->tid > 0 ? Tid(static_cast<std::int32_t>(named->tid)) : moved_;
        if (how.step) break;
        how.step = stepping;
        if (named->process) how.process = named->process;
        if (word.front() != 'r') break;
        Cursor range(word.substr(1));
        const auto begin = range.hex_number();
        const auto end = range.skip(",") ? range.hex_number() : std::nullopt;
        if (!begin || !end || !range.done()) return error_reply("not a range");
        how.range_begin = RemoteAddr(*begin);
        how.range_end = RemoteAddr(*end);
        break;
      }
      default:
        return error_reply("threads can't be stopped one by one");
    }
    any = true;
  }
  return any ? resume(how) : error_reply("vCont without an action");
}

std::string Stub::resume(Resume how) {
  if (how.step && !lives(*how.step)) return error_reply("no such thread here");
  if (!how.process) how.process = process_of(moved_);
  auto stop = target_.resume(how, [this] { return interrupted(); });
  if (!stop) return error_reply(stop.error().text);
  object_name_.clear();
  // Output of the process ("Stop Reply Packets"), in pieces that any client has room for.
  constexpr std::size_t kPiece = 512;
  for (std::size_t at = 0; at < stop->said.size(); at += kPiece)
    said_ += frame("O" + hex(stop->said.substr(at, kPiece)));
  target_.view(selected_ = moved_ = stop->thread);
  return describe(*stop);
}

bool Stub::interrupted() {
  auto bytes = arrived_();
  if (!bytes) {
    over_ = true;
    return true;
  }
  reader_.feed(*bytes);
  return reader_.take_interrupt();
}

namespace {

std::string watch_word(Breakpoint::Kind kind) {
  return kind == Breakpoint::Kind::Read ? "rwatch" : kind == Breakpoint::Kind::Access ? "awatch" : "watch";
}

}  // namespace

std::string Stub::describe(const Stop& stop) {
  using Why = Stop::Why;
  const std::string process =
      multiprocess_ ? ";process:" + hex_number(static_cast<std::uint32_t>(target_.process().value)) : std::string();
  if (stop.why == Why::Exited) {
    if (WIFSIGNALED(stop.status)) return "X" + hex_byte(protocol_signal(WTERMSIG(stop.status))) + process;
    return "W" + hex_byte(static_cast<std::uint8_t>(WEXITSTATUS(stop.status))) + process;
  }
  constexpr int kSigint = 2, kSigtrap = 5;
  int signal = kSigtrap;
  std::string reason;
  switch (stop.why) {
    case Why::Signal:
      signal = stop.signal;
      break;
    case Why::Interrupted:
      signal = kSigint;
      break;
    case Why::Breakpoint:
      reason = stop.watch.kind == Breakpoint::Kind::Hardware ? "hwbreak:;" : "swbreak:;";
      break;
    case Why::Watchpoint:
      reason = watch_word(stop.watch.kind) + ":" + hex_number(stop.watch.at.value) + ";";
      break;
    case Why::HistoryBegin:
      reason = "replaylog:begin;";
      break;
    case Why::HistoryEnd:
      reason = "replaylog:end;";
      break;
    case Why::Executed:
      if (sends_exec_) reason = "exec:" + hex(stop.program) + ";";
      layout_.reset();
      break;
    case Why::Forked:
    case Why::VForked:
      reason = fmt::format("{}:{};", stop.why == Why::Forked ? "fork" : "vfork",
                           id_of(Thread{.tid = stop.child, .name = {}, .state = {}, .process = stop.child}));
      break;
    case Why::VForkDone:
      reason = "vforkdone:;";
      break;
    case Why::SyscallEntry:
    case Why::SyscallReturn:
      reason =
          fmt::format("syscall_{}:{};", stop.why == Why::SyscallEntry ? "entry" : "return", hex_number(stop.number));
      break;
    case Why::Moved:
      signal = 0;
      break;
    case Why::Stepped:
    case Why::Exited:
      break;
  }
  std::string text = "T" + hex_byte(protocol_signal(signal)) + "thread:" + id_of(stop.thread) + ";" + reason;
  if (is_lldb_) text += for_lldb(stop);
  if (auto file = registers_of(stop.thread)) {
    for (const std::size_t number : {RegisterLayout::kRbp, RegisterLayout::kRsp, RegisterLayout::kRip}) {
      text += hex_byte(static_cast<std::uint8_t>(number)) + ":" + hex(layout().get(*file, number)) + ";";
    }
  }
  return text;
}

}  // namespace tmrec::gdbstub
