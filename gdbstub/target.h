// What the stub debugs, as it sees it: processes of a recording at one position of its history. A client may look at
// several of them; only what one does stops the run. The replayer implements it; unit tests do, too.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "format/event.h"
#include "format/regs.h"
#include "format/result.h"
#include "format/types.h"

namespace tmrec::gdbstub {

struct Thread {
  Tid tid;
  std::string name;
  std::string state;  // for people
  Tid process = {};
};

// Memory that is mapped in one piece.
struct Region {
  RemoteAddr begin, end;
  std::string permissions;  // r, w, x, without those it lacks
  bool shared = false;
  std::uint64_t offset = 0;  // in the file
  std::string name;
};

struct Breakpoint {
  // The numbers of the protocol's Z packets.
  enum class Kind : std::uint8_t { Software = 0, Hardware = 1, Write = 2, Read = 3, Access = 4 } kind = Kind::Software;
  RemoteAddr at;
  std::uint64_t size = 1;  // bytes watched
  // Agent expressions (agent_expression.h), one of which must be true; none: it always stops. No part of what it is.
  std::vector<std::string> conditions = {};
  friend bool operator==(const Breakpoint& a, const Breakpoint& b) {
    return a.kind == b.kind && a.at == b.at && a.size == b.size;
  }
};

// Why the process does not go on.
struct Stop {
  enum class Why : std::uint8_t {
    Signal,      // `signal` has arrived at `thread`
    Breakpoint,  // `thread` stands in front of the instruction; `watch.kind` says which kind
    Watchpoint,  // `watch` is what was touched
    Stepped,
    Interrupted,
    HistoryBegin,
    HistoryEnd,
    Executed,       // `program` is what the process executes from here on; its breakpoints are gone
    Forked,         // `child` is there
    VForked,        // the same, by vfork
    VForkDone,      // the child of VForked has its own memory now, as far as the client cares
    Exited,         // the process is gone, `status` as of wait(2)
    SyscallEntry,   // `number`; `thread` stands in front of it
    SyscallReturn,  // `number`; it has just returned
    Moved,          // a command of the user's has led here
  } why = Why::Signal;
  Tid thread;
  int signal = 0;  // Linux's number
  Breakpoint watch;
  std::string program;
  int status = 0;
  std::uint64_t number = 0;  // of a system call
  Tid child = {};
  std::string said = {};  // what happened on the way, in lines for people
};

struct Resume {
  bool backward = false;
  std::optional<Tid> step;  // until this thread has executed an instruction and is outside of [range_begin, range_end)
  RemoteAddr range_begin, range_end;
  std::optional<Tid> process = {};  // whose stops count from here on; default: as before
};

struct OpenFile {
  int handle = 0;
  std::uint64_t size = 0;
};

// Asked now and then while the process runs, at least every 100 ms; true: stop soon.
using Interrupted = std::function<bool()>;

// Errors are told to the client and end nothing.
class Target {
 public:
  virtual ~Target() = default;

  // Whose stops count.
  virtual Tid process() const = 0;
  // Of the processes that the client debugs, those that live at this position.
  virtual std::vector<Thread> threads() = 0;
  // One more process for the client, which counts from here on. Usage: there is none.
  virtual Result<Stop> attach(Tid process) = 0;
  // It is one of those that the client debugs, though it may not live here.
  virtual bool debugs(Tid process) const = 0;
  // The client has done with this process. False: it is the only one, or none of the client's.
  virtual bool let_go(Tid process) = 0;
  // Memory, breakpoints and files are those of this thread's process from here on.
  virtual void view(Tid thread) = 0;
  // Whether the client understands to be told of processes that are born, and of programs that are executed.
  virtual void report(bool forks, bool programs) = 0;
  virtual Stop last_stop() const = 0;

  virtual Result<Regs> registers(Tid thread) = 0;
  // XSAVE area in the standard format.
  virtual Result<Bytes> extended(Tid thread) = 0;
  virtual Result<void> set_registers(Tid thread, const Regs& regs) = 0;
  virtual Result<void> set_extended(Tid thread, const Bytes& state) = 0;

  // As much as can be read from the start of the range, as the program would see it.
  virtual Bytes read_memory(RemoteAddr from, std::size_t size) = 0;
  virtual Result<void> write_memory(RemoteAddr to, const Bytes& bytes) = 0;

  // Memory for the client's own use, in which code can be executed; the recorded program has none of it.
  virtual Result<RemoteAddr> lend_memory(std::uint64_t size) = 0;
  // False: none was lent there.
  virtual bool take_memory_back(RemoteAddr at) = 0;

  // What the program would find in /proc/self/maps, in order.
  virtual std::vector<Region> regions() = 0;

  // Both may be repeated; what is inserted again has the conditions it came with last.
  virtual Result<void> insert(const Breakpoint& breakpoint) = 0;
  virtual Result<void> remove(const Breakpoint& breakpoint) = 0;

  virtual Result<Stop> resume(const Resume& how, const Interrupted& interrupted) = 0;

  // System calls that stop their thread, when they begin and when they return: these, or all when none is named;
  // nullopt: none.
  virtual void catch_syscalls(const std::optional<std::vector<std::uint64_t>>& numbers) = 0;

  // Addresses that only the client can find, since it knows the symbols; asked for whenever it has learned some.
  virtual std::vector<std::string> wanted_symbols() { return {}; }
  // nullopt: there is none of that name.
  virtual void symbol_is(const std::string&, std::optional<RemoteAddr>) {}
  // Of a thread-local variable: at this offset in the module that the dynamic linker describes there (struct link_map).
  virtual Result<RemoteAddr> thread_local_address(Tid thread, std::uint64_t offset, RemoteAddr link_map) = 0;

  // Signals that need not be reported; bit N-1 is signal N.
  virtual void pass_signals(std::uint64_t signals) = 0;
  virtual Result<Bytes> siginfo(Tid thread) = 0;
  virtual Result<Bytes> auxv() = 0;
  // Of the process that is viewed, or of this one.
  virtual Result<std::string> executable(std::optional<Tid> process) = 0;

  // Files as the recorded process would have found them, read only.
  virtual Result<OpenFile> open(const std::string& path) = 0;
  virtual Result<Bytes> read(int handle, std::uint64_t offset, std::size_t size) = 0;
  virtual bool close(int handle) = 0;

  // The client has gone; what it has changed and inserted goes with it.
  virtual void client_left() = 0;

  // A command of the user's, in words of tmrec's own; the answer is lines for people.
  virtual std::string monitor(const std::string& command, const Interrupted& interrupted) = 0;
};

}  // namespace tmrec::gdbstub
