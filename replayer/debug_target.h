// A recorded process as a debugger's target.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gdbstub/target.h"
#include "replayer/bookmarks.h"
#include "replayer/diversion.h"
#include "replayer/history.h"
#include "replayer/lent_memory.h"
#include "replayer/timeline.h"

namespace tmrec::replayer {

class DebugTarget : public gdbstub::Target {
 public:
  struct Start {
    std::optional<Tid> process;  // default: the first
    EventNo event;               // 0: the process's beginning
    bool at_end = false;         // at the fatal signal, or the exit
  };
  // The replay goes on to where it is to start. Usage: no such process or event.
  static Result<std::unique_ptr<DebugTarget>> open(std::unique_ptr<Session> session, LogReader log, const Start& start);

  Tid process() const override { return process_; }
  Result<gdbstub::Stop> attach(Tid process) override;
  bool debugs(Tid process) const override { return shows(process); }
  bool let_go(Tid process) override;
  void view(Tid thread) override;
  void report(bool forks, bool programs) override { reports_forks_ = forks, reports_programs_ = programs; }
  std::vector<gdbstub::Thread> threads() override;
  gdbstub::Stop last_stop() const override { return stop_; }
  Result<Regs> registers(Tid thread) override;
  Result<Bytes> extended(Tid thread) override;
  Result<void> set_registers(Tid thread, const Regs& regs) override;
  Result<void> set_extended(Tid thread, const Bytes& state) override;
  std::vector<gdbstub::Region> regions() override;
  Result<RemoteAddr> lend_memory(std::uint64_t size) override { return lent_.lend(size); }
  bool take_memory_back(RemoteAddr at) override { return lent_.take_back(at); }
  Bytes read_memory(RemoteAddr from, std::size_t size) override;
  Result<void> write_memory(RemoteAddr to, const Bytes& bytes) override;
  Result<void> insert(const gdbstub::Breakpoint& breakpoint) override;
  Result<void> remove(const gdbstub::Breakpoint& breakpoint) override;
  Result<gdbstub::Stop> resume(const gdbstub::Resume& how, const gdbstub::Interrupted& interrupted) override;
  void catch_syscalls(const std::optional<std::vector<std::uint64_t>>& numbers) override { caught_ = numbers; }
  std::vector<std::string> wanted_symbols() override;
  void symbol_is(const std::string& name, std::optional<RemoteAddr> at) override;
  Result<RemoteAddr> thread_local_address(Tid thread, std::uint64_t offset, RemoteAddr link_map) override;
  void pass_signals(std::uint64_t signals) override { passed_signals_ = signals; }
  Result<Bytes> siginfo(Tid thread) override;
  Result<Bytes> auxv() override;
  Result<std::string> executable(std::optional<Tid> process) override;
  Result<gdbstub::OpenFile> open(const std::string& path) override;
  Result<Bytes> read(int handle, std::uint64_t offset, std::size_t size) override;
  bool close(int handle) override;
  void client_left() override;
  std::string monitor(const std::string& command, const gdbstub::Interrupted& interrupted) override;

 private:
  struct Trip {
    bool moved = false;  // stop_ says where to; else it is where it was
    std::string text;    // where it is, or why not
  };
  DebugTarget(std::unique_ptr<Session> session, LogReader log);
  Result<void> go_to_birth(std::optional<Tid> process);
  // False: interrupted.
  Result<bool> go_to_end(const gdbstub::Interrupted& interrupted);
  // nullopt: interrupted.
  Result<std::optional<Halt>> run_to_end(const gdbstub::Interrupted& interrupted);
  Result<Task*> task(Tid thread);
  Task* any_task() { return any_task(viewed_); }
  Task* any_task(Tid process);
  std::shared_ptr<const Stops> stops() const;
  Orders orders(const gdbstub::Interrupted& interrupted) const;
  Result<gdbstub::Stop> forward(const gdbstub::Resume& how, const gdbstub::Interrupted& interrupted);
  Result<gdbstub::Stop> backward(const gdbstub::Resume& how, const gdbstub::Interrupted& interrupted);
  gdbstub::Stop stop_of(const Halt& halt);
  gdbstub::Stop stopped(gdbstub::Stop::Why why);
  gdbstub::Stop moved();
  // The program a process executes here.
  Result<const History::Image*> image(Tid process);

  // The recording's, or that of the diversion from it.
  Session& session() { return diversion_ ? diversion_->session() : timeline_.session(); }

  // processes.cc
  bool shows(Tid process) const { return std::ranges::find(shown_, process) != shown_.end(); }
  Result<void> concern(Tid process);
  Result<void> note_image();
  Result<std::optional<gdbstub::Stop>> other_program();
  Result<gdbstub::Stop> before_program();
  Result<void> read_all_events();
  std::string list_processes();
  Trip go_to_process(const std::string& words, const gdbstub::Interrupted& interrupted);

  // diverting.cc
  Result<Diversion*> divert(Tid process);
  void end_diversion();
  bool is_left_by(const gdbstub::Resume& how) const;
  Result<gdbstub::Stop> run_diversion(const gdbstub::Resume& how, const gdbstub::Interrupted& interrupted);
  std::string keep_diversion();
  std::string calls_done();

  // monitor.cc
  std::string when();
  std::string last_event();
  std::string events(const std::string& words);
  std::string checkpoint(const std::string& note);
  std::string list_checkpoints() const;
  std::string delete_checkpoint(const std::string& words);
  std::string bookmark(const std::string& name);
  std::string list_bookmarks();
  std::string delete_bookmark(const std::string& name);
  std::string on_resume(const std::string& command);

  // travel.cc
  // nullopt: a command that goes nowhere.
  std::optional<Trip> travel(const std::string& command, const gdbstub::Interrupted& interrupted);
  Trip arrived(Result<bool> there, const Position& from);
  Trip go_to(const Position& goal, bool start_of_event, const gdbstub::Interrupted& interrupted);
  Trip seek(const std::string& words, const gdbstub::Interrupted& interrupted);
  Trip seek_time(const std::string& words, const gdbstub::Interrupted& interrupted);
  Trip last_write(const std::string& words, const gdbstub::Interrupted& interrupted);
  Trip restart(const std::string& words, const gdbstub::Interrupted& interrupted);
  Trip go_to_bookmark(const std::string& name, const gdbstub::Interrupted& interrupted);

  Timeline timeline_;
  LentMemory lent_;
  std::unique_ptr<Diversion> diversion_;
  gdbstub::Stop stop_before_diversion_;
  bool diversion_said_ = false;                                     // that it is one
  std::vector<std::pair<RemoteAddr, RemoteAddr>> stacks_of_calls_;  // of threads that were diverted
  bool is_of_a_call(RemoteAddr at) const;
  bool tells_changes_ = false;  // the client says by keep_diversion() which changes are the user's
  History history_;
  Tid process_, viewed_;
  std::vector<Tid> shown_;       // the client's processes
  std::map<Tid, EventNo> told_;  // since when they execute what the client believes
  EventNo birth_;                // of process_
  struct End {
    Position position;
    Halt halt;
  };
  std::map<Tid, End> ends_;  // of processes whose end has been gone to
  bool reports_forks_ = false, reports_programs_ = false;
  bool catches_forks_ = false;  // also backwards
  bool arrives_next_ = false;   // the client has been told of another program first
  bool vfork_done_next_ = false;
  gdbstub::Stop stop_;
  std::map<Tid, std::vector<gdbstub::Breakpoint>> breakpoints_;  // of each process
  std::uint64_t passed_signals_ = 0;
  std::optional<std::vector<std::uint64_t>> caught_;
  std::optional<RemoteAddr> module_field_;  // describes where a link_map has the number of its module
  std::map<int, Fd> files_;
  EventNo learned_;  // the image whose files are known
  std::optional<Bytes> siginfo_;
  struct UserCheckpoint {
    Position position;
    std::string note;
  };
  std::map<std::uint64_t, UserCheckpoint> checkpoints_;
  std::uint64_t checkpoints_made_ = 0;
  std::string errand_;   // for the next resumption
  std::string outcome_;  // of the last errand: why it did not get there; empty: it did
};

// The first word of a command, and the rest.
std::pair<std::string, std::string> first_word(const std::string& text);

}  // namespace tmrec::replayer
