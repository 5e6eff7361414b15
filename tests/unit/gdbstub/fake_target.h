// A process of two threads that holds still, remembers what it was told, and stops as told beforehand.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "gdbstub/target.h"

namespace tmrec::gdbstub {

inline constexpr std::uint64_t kFakeMemory = 0x1000;

struct FakeTarget : Target {
  Stop stop{.why = Stop::Why::Signal, .thread = Tid(10), .signal = 5, .watch = {}, .program = {}};
  std::deque<Stop> next;
  std::vector<Resume> resumed;
  std::vector<Breakpoint> breakpoints;
  std::map<std::int32_t, Regs> regs{{10, {}}, {11, {}}};
  Bytes state = Bytes(832, 0);
  Bytes memory = Bytes(256, 0);
  std::uint64_t passed = 0;
  std::string command;
  std::optional<std::vector<std::uint64_t>> caught;
  std::map<std::string, std::optional<RemoteAddr>> symbols;
  int opened = 0;
  bool left = false;
  bool has_child = false, forks = false, execs = false;
  Tid viewed;
  bool asks_for_interrupt = false, was_interrupted = false;

  Tid process() const override { return Tid(10); }
  std::vector<Thread> threads() override {
    std::vector<Thread> list{{Tid(10), "main", "stopped", Tid(10)}, {Tid(11), "<worker>", "in futex", Tid(10)}};
    if (has_child) list.push_back({Tid(20), "child", "new", Tid(20)});
    return list;
  }
  Result<Stop> attach(Tid process) override {
    if (process != Tid(20)) return fail(ErrorKind::Usage, "no such process");
    has_child = true;
    stop.thread = process;
    return stop;
  }
  bool debugs(Tid process) const override { return process == Tid(10) || (has_child && process == Tid(20)); }
  bool let_go(Tid process) override { return process == Tid(20) && std::exchange(has_child, false); }
  void view(Tid thread) override { viewed = thread; }
  void report(bool births, bool programs) override { forks = births, execs = programs; }

  Stop last_stop() const override { return stop; }
  Result<Regs> registers(Tid thread) override {
    auto found = regs.find(thread.value);
    if (found == regs.end()) return fail(ErrorKind::System, "no such thread");
    return found->second;
  }
  Result<Bytes> extended(Tid) override { return state; }
  Result<void> set_registers(Tid thread, const Regs& values) override {
    regs[thread.value] = values;
    return {};
  }
  Result<void> set_extended(Tid, const Bytes& values) override {
    state = values;
    return {};
  }
  Bytes read_memory(RemoteAddr from, std::size_t size) override {
    if (from.value < kFakeMemory || from.value >= kFakeMemory + memory.size()) return {};
    const std::size_t at = from.value - kFakeMemory;
    const auto first = memory.begin() + static_cast<std::ptrdiff_t>(at);
    return Bytes(first, first + static_cast<std::ptrdiff_t>(std::min(size, memory.size() - at)));
  }
  Result<void> write_memory(RemoteAddr to, const Bytes& bytes) override {
    if (to.value < kFakeMemory || to.value - kFakeMemory + bytes.size() > memory.size() ||
        bytes.size() > memory.size()) {
      return fail(ErrorKind::System, "no memory there");
    }
    std::copy(bytes.begin(), bytes.end(), memory.begin() + static_cast<std::ptrdiff_t>(to.value - kFakeMemory));
    return {};
  }
  Result<RemoteAddr> lend_memory(std::uint64_t size) override {
    if (size > memory.size()) return fail(ErrorKind::Usage, "no more");
    return RemoteAddr(kFakeMemory);
  }
  bool take_memory_back(RemoteAddr at) override { return at.value == kFakeMemory; }
  std::vector<Region> regions() override {
    return {{RemoteAddr(kFakeMemory), RemoteAddr(kFakeMemory + memory.size()), "rw", false, 0, "[heap]"}};
  }
  Result<void> insert(const Breakpoint& breakpoint) override {
    breakpoints.push_back(breakpoint);
    return {};
  }
  Result<void> remove(const Breakpoint& breakpoint) override {
    std::erase(breakpoints, breakpoint);
    return {};
  }
  Result<Stop> resume(const Resume& how, const Interrupted& interrupted) override {
    resumed.push_back(how);
    if (asks_for_interrupt) was_interrupted = interrupted();
    if (!next.empty()) {
      stop = next.front();
      next.pop_front();
    }
    return stop;
  }
  void catch_syscalls(const std::optional<std::vector<std::uint64_t>>& numbers) override { caught = numbers; }
  std::vector<std::string> wanted_symbols() override { return {"one", "two"}; }
  void symbol_is(const std::string& name, std::optional<RemoteAddr> at) override { symbols[name] = at; }
  Result<RemoteAddr> thread_local_address(Tid thread, std::uint64_t offset, RemoteAddr link_map) override {
    if (link_map.value == 0) return fail(ErrorKind::NotFound, "no such module");
    return RemoteAddr(link_map.value + offset + static_cast<std::uint64_t>(thread.value));
  }
  void pass_signals(std::uint64_t signals) override { passed = signals; }
  Result<Bytes> siginfo(Tid) override { return fail(ErrorKind::NotFound, "no signal"); }
  Result<Bytes> auxv() override { return Bytes{'a', '#', 'b'}; }
  Result<std::string> executable(std::optional<Tid>) override { return std::string("/bin/guest"); }
  Result<OpenFile> open(const std::string& path) override {
    if (path != "/bin/guest") return fail(ErrorKind::NotFound, "no such file");
    ++opened;
    return OpenFile{7, 5};
  }
  Result<Bytes> read(int, std::uint64_t offset, std::size_t size) override {
    const std::string content = "a}b*c";
    const std::string part = offset < content.size() ? content.substr(offset, size) : "";
    return Bytes(part.begin(), part.end());
  }
  bool close(int) override {
    --opened;
    return true;
  }
  void client_left() override {
    left = true;
    breakpoints.clear();
  }
  std::string monitor(const std::string& text, const Interrupted&) override {
    command = text;
    return "answer\n";
  }
};

}  // namespace tmrec::gdbstub
