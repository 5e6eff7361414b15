// tmrec dump: the log as text, one line per event.

#include <fmt/format.h>
#include <sys/wait.h>

#include <limits>
#include <memory>
#include <type_traits>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/open_trace.h"
#include "cli/say.h"
#include "cli/trace_facts.h"
#include "format/log.h"
#include "format/trace_dir.h"
#include "syscalls/print.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

struct DumpOptions {
  TraceChoice trace;
  std::uint64_t from = 1;
  std::uint64_t to = std::numeric_limits<std::uint64_t>::max();
  std::int32_t tid = 0;  // 0: all
  bool json = false;
};

// The kind of an event, for --json, and its description.
struct Described {
  const char* kind;
  std::string text;
};

Described describe_event(const SyscallEvent& event) { return {"syscall", syscalls::describe(event)}; }

Described describe_event(const SwitchEvent& event) {
  const auto why = [&] {
    switch (event.reason) {
      case SwitchEvent::Reason::Blocked:
        return "blocked";
      case SwitchEvent::Reason::Yield:
        return "yielded";
      case SwitchEvent::Reason::SliceEnd:
        return "its time was up";
      case SwitchEvent::Reason::Exit:
        return "ended";
      case SwitchEvent::Reason::Stopped:
        return "stopped";
    }
    return "?";
  };
  return {"switch", fmt::format("--> {} ({})", event.to.value, why())};
}

Described describe_event(const SignalEvent& event) { return {"signal", syscalls::describe(event)}; }

Described describe_event(const CloneEvent& event) {
  const bool thread = event.child != event.child_process;
  return {"clone",
          fmt::format("new {} {} (flags {:#x})", thread ? "thread" : "process", event.child.value, event.flags)};
}

// `tid` is the process's from now on; another thread may have called execve.
Described describe_event(const ExecEvent& event, Tid tid) {
  std::string text = fmt::format("new program {}: {}", event.program, shown_command(event.arguments));
  if (event.former.value != 0 && event.former != tid) text += fmt::format(" (by thread {})", event.former.value);
  return {"exec", std::move(text)};
}

Described describe_event(const AttachEvent& event) {
  return {"attach", fmt::format("process {}, {} thread{}, running {}: {}", event.process.value, event.threads.size(),
                                event.threads.size() == 1 ? "" : "s", event.program, shown_command(event.arguments))};
}

Described describe_event(const StartEvent& event) {
  std::size_t threads = 0;
  for (const StartEvent::Process& process : event.processes) threads += process.threads.size();
  return {"start", fmt::format("a starting point: {} process{}, {} thread{}", event.processes.size(),
                               event.processes.size() == 1 ? "" : "es", threads, threads == 1 ? "" : "s")};
}

Described describe_event(const GapEvent& event) {
  return {"gap", fmt::format("{}: not replayed from here to the next starting point", event.reason)};
}

Described describe_event(const ExitEvent& event) {
  std::string how;
  if (WIFSIGNALED(event.status)) {
    how = fmt::format("killed by {}{}", syscalls::signal_name(WTERMSIG(event.status)),
                      WCOREDUMP(event.status) ? " (core dumped)" : "");
  } else {
    how = fmt::format("status {}", WEXITSTATUS(event.status));
  }
  return {"exit", fmt::format("{} ends: {}", event.process_ended ? "process" : "thread", how)};
}

Described describe_event(const InstructionEvent& event) {
  switch (event.kind) {
    case InstructionEvent::Kind::Cpuid:
      return {"instruction", fmt::format("cpuid leaf {:#x}, {:#x} at {:#x} = {:#x} {:#x} {:#x} {:#x}",
                                         event.before.rax & 0xffffffff, event.before.rcx & 0xffffffff, event.before.rip,
                                         event.after.rax, event.after.rbx, event.after.rcx, event.after.rdx)};
    case InstructionEvent::Kind::Rdtsc:
    case InstructionEvent::Kind::Rdtscp:
      return {"instruction",
              fmt::format("{} at {:#x} = {:#x}", event.kind == InstructionEvent::Kind::Rdtsc ? "rdtsc" : "rdtscp",
                          event.before.rip, event.after.rdx << 32 | (event.after.rax & 0xffffffff))};
    case InstructionEvent::Kind::Rdpid:
      return {"instruction", fmt::format("rdpid at {:#x}", event.before.rip)};
    case InstructionEvent::Kind::Rdrand:
      return {"instruction", fmt::format("rdrand at {:#x}", event.before.rip)};
    case InstructionEvent::Kind::Rdseed:
      return {"instruction", fmt::format("rdseed at {:#x}", event.before.rip)};
    case InstructionEvent::Kind::Xgetbv:
      return {"instruction", fmt::format("xgetbv {} at {:#x} = {:#x}", event.before.rcx & 0xffffffff, event.before.rip,
                                         event.after.rdx << 32 | (event.after.rax & 0xffffffff))};
    case InstructionEvent::Kind::Other:
      return {"instruction", fmt::format("special instruction at {:#x}, left to the program", event.before.rip)};
  }
  return {"instruction", "unknown"};
}

Described describe_event(const TickEvent& event, Ticks ticks) {
  return {"tick", fmt::format("stopped at tick {}, {:#x}", ticks.value, event.regs.rip)};
}

Described describe_event(const PatchEvent& event) {
  switch (event.kind) {
    case PatchEvent::Kind::Applied:
      return {"patch", fmt::format("{} at {:#x} counts from now on, trampolines at {:#x}", event.module,
                                   event.text.value, event.block.value)};
    case PatchEvent::Kind::Undone:
      return {"patch", fmt::format("{} at {:#x} counts no longer", event.module, event.text.value)};
    case PatchEvent::Kind::Unmapped:
      break;
  }
  return {"patch", fmt::format("{} at {:#x} is gone", event.module, event.text.value)};
}

Described describe_event(const CheckEvent& event) {
  std::uint64_t bytes = 0;
  for (const CheckEvent::Range& range : event.ranges) bytes += range.end - range.start;
  return {"check", fmt::format("{} bytes of memory in {} ranges", bytes, event.ranges.size())};
}

Described describe_event(const EndEvent& event) {
  return {"end", event.reason.empty() ? "the program ended" : "the recording ended: " + event.reason};
}

void print(const Event& event, bool json) {
  const auto describe = [&](const auto& body) {
    if constexpr (std::is_same_v<decltype(body), const ExecEvent&>)
      return describe_event(body, event.tid);
    else if constexpr (std::is_same_v<decltype(body), const TickEvent&>)
      return describe_event(body, event.ticks);
    else
      return describe_event(body);
  };
  const Described described = std::visit(describe, event.body);
  if (!json) {
    fmt::print("{:>8} {:>6}.{:06} {:>7} {}\n", event.no.value, event.time_ns / 1'000'000'000,
               event.time_ns / 1000 % 1'000'000, event.tid.value, described.text);
    return;
  }
  JsonObject object;
  object.add("event", event.no.value)
      .add("time_ns", event.time_ns)
      .add("tid", event.tid.value)
      .add("kind", described.kind);
  if (const auto* call = std::get_if<SyscallEvent>(&event.body)) {
    object.add("number", call->regs.orig_rax);
    if (call->phase != SyscallEvent::Phase::Enter) object.add("result", call->ret);
  }
  fmt::print("{}\n", object.add("text", described.text).str());
}

Result<> dump(const DumpOptions& options) {
  TMREC_TRY(const OpenTrace open, open_trace(options.trace));
  TMREC_CHECKED(TraceDir::open(open.trace));
  TMREC_CHECKED(Manifest::load(open.trace));  // a newer version's log may only look readable
  TMREC_TRY(LogReader reader, LogReader::open(open.trace));
  for (;;) {
    TMREC_TRY(const std::optional<Event> event, reader.next());
    if (!event) break;
    if (event->no.value > options.to) return {};
    if (event->no.value < options.from || (options.tid != 0 && event->tid.value != options.tid)) continue;
    print(*event, options.json);
  }
  if (reader.torn()) say(Level::Warning, reader.lost());
  return {};
}

}  // namespace

Action add_dump(CLI::App& app) {
  auto options = std::make_shared<DumpOptions>();
  add_trace_choice(app, options->trace);
  app.add_option("--from", options->from, "First event (the first of all is 1)")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--to", options->to, "Last event")->type_name("N")->check(CLI::NonNegativeNumber);
  app.add_option("--tid", options->tid, "Only events of this task")->type_name("T");
  app.add_flag("--json", options->json, "Print one JSON object per line");
  app.footer(
      "A line shows the event's number, the seconds since the start, the task, and what happened.\n"
      "Examples:\n  tmrec dump | less\n  tmrec dump --from 100 --to 120 --tid 4711 redis-server-3");
  return [options] {
    const Result<> done = dump(*options);
    return done ? 0 : report(done.error());
  };
}

}  // namespace tmrec::cli
