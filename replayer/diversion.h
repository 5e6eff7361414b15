// What might have been: a copy of the recorded process in which a debugger changes things.
//
// Problem: a recording can't be changed, but a debugger changes memory and registers all the time: to call a function
// for `print f(x)`, or because somebody wants to know what would have happened. Solution: the first change goes to a
// copy of the session, which from then on is what the debugger sees; it runs without a log and is thrown away at the
// latest when somebody goes back. Rejected: changing the replay and undoing it; what a called function does is too much
// to undo.
//
// Nothing of it gets out: its system calls are answered here. Those that only concern its memory are performed, output
// goes to the debugger, time is this machine's, and for the rest this is a kernel without them. One thread runs, the
// others stand still.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "replayer/machine.h"
#include "replayer/session.h"

namespace tmrec::replayer {

class Diversion {
 public:
  // `copy`: a session nobody else has. `process`: whose threads may be changed.
  Diversion(std::unique_ptr<Session> copy, Tid process);

  Session& session() { return *session_; }
  Tid process() const { return process_; }

  // As a debugger sees registers: program addresses.
  Result<void> set_registers(Task& task, const Regs& view);
  Result<void> set_extended(Task& task, const Bytes& state);
  Result<void> write_memory(Task& task, RemoteAddr to, const Bytes& bytes);

  // Somebody wants to see where it leads: its changes are no means to call a function.
  void keep() { kept_ = true; }
  bool kept() const { return kept_; }
  // The threads stand with the registers they had. What called functions did has then come to its end.
  bool registers_are_back() const;
  // The thread whose registers were changed last, or that ran last; 0: none.
  Tid active() const { return active_; }

  struct Run {
    bool step = false;  // one instruction, and on while it leads into the range
    std::uint64_t range_begin = 0, range_end = 0;
    std::span<const std::uint64_t> breakpoints;  // program addresses
    std::function<bool()> give_up;
  };
  struct Halt {
    enum class Kind {
      Breakpoint,
      Stepped,
      Signal,  // `signal` was raised by the instruction
      Asked,   // Run::give_up said so
      Ended,   // it would exit
      Stuck,   // it would wait for ever
    } kind = Kind::Stepped;
    int signal = 0;
    Bytes siginfo;
  };
  Result<Halt> run(Task& task, const Run& how);
  // What it has written to its standard streams, and system calls it was refused. Empties both.
  std::string take_output();

 private:
  Result<std::optional<Halt>> after(Task& task, const tracee::Stop& stop);
  Result<std::optional<Halt>> answer(Task& task);
  std::optional<std::int64_t> answer_memory(Task& task, std::uint64_t number, const std::uint64_t (&args)[6]);
  std::optional<std::int64_t> answer_query(Task& task, std::uint64_t number, const std::uint64_t (&args)[6]);
  std::int64_t answer_write(Task& task, std::uint64_t number, const std::uint64_t (&args)[6]);
  Result<std::optional<Halt>> on_signal(Task& task, const tracee::Stop& stop);
  bool stops_at(const Task& task, std::uint64_t rip, const Run& how) const;

  std::unique_ptr<Session> session_;
  Tid process_;
  Machine machine_;
  struct Before {
    Tid tid;
    Regs regs, view;
    Bytes extended;
    bool in_call, restarts;
  };
  std::vector<Before> before_;
  bool kept_ = false;
  Tid active_;
  std::string output_;
};

}  // namespace tmrec::replayer
