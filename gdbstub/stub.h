// The GDB remote protocol on an abstract target: bytes in, bytes out. Whoever owns the connection feeds what arrives
// and sends what comes back.
//
// Problem: a client is not to be trusted (any process of the machine can connect to a port), and a stub that ends is a
// debugging session lost. Solution: four layers, each a function of its input: bytes, packets (packets.h), the commands
// here, the target (target.h). Whatever is not understood is answered as the protocol demands: an empty packet for an
// unknown command, E and a text for one that failed; nothing but a closed connection ends the stub. Rejected: letting
// commands read the connection themselves, which no test could do without one.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gdbstub/packets.h"
#include "gdbstub/registers.h"
#include "gdbstub/target.h"
#include "gdbstub/text.h"

namespace tmrec::gdbstub {

class Stub {
 public:
  // What has arrived meanwhile, without waiting; nullopt: the client is gone. Asked while the target runs.
  using Arrived = std::function<std::optional<std::string>()>;

  Stub(Target& target, Arrived arrived);
  ~Stub();
  Stub(const Stub&) = delete;
  Stub& operator=(const Stub&) = delete;

  // Executes what is complete now. The answer to send, which may be empty.
  std::string feed(std::string_view bytes);
  // The client has said goodbye, killed the process, or is gone: nothing more is to be read.
  bool over() const { return over_; }
  bool killed() const { return killed_; }

 private:
  std::string execute(const std::string& packet);
  std::string query(std::string_view packet);
  std::string setting(std::string_view packet);
  std::string v_packet(std::string_view packet);

  // queries.cc
  std::string supported(std::string_view features);
  std::string transfer(std::string_view request);
  Result<std::string> object(std::string_view kind, std::string_view annex);
  std::string thread_list();
  std::string threads_xml();
  std::string search(std::string_view request);
  std::string monitor(std::string_view hex_command);
  std::string symbol(std::string_view answer);
  std::string thread_local_address(std::string_view request);

  // lldb.cc
  static std::string host_info();
  std::string process_info();
  std::string memory_region(std::string_view address);
  std::string threads_json();
  std::string own_memory(std::string_view request);
  std::string for_lldb(const Stop& stop);

  // resume.cc
  std::string resume_by_v_cont(std::string_view actions);
  std::string resume(Resume how);
  std::string describe(const Stop& stop);
  bool interrupted();

  // files.cc
  std::string file(std::string_view request);

  // data.cc
  std::string read_registers();
  std::string write_registers(std::string_view digits);
  std::string read_register(std::string_view number);
  std::string write_register(std::string_view assignment);
  std::string read_memory(std::string_view range, bool binary);
  std::string write_memory(std::string_view assignment, bool binary);
  std::string breakpoint(std::string_view request, bool insert);
  Result<RegisterFile> registers_of(Tid thread);
  const RegisterLayout& layout();

  // A thread id of the protocol; nullopt: it is none, or of a process that is not the client's.
  struct ThreadId {
    std::int64_t tid = -1;  // 0: any; -1: all
    std::optional<Tid> process;
  };
  std::optional<ThreadId> thread(std::string_view id);
  std::optional<Tid> process_of(Tid thread);
  std::string leave(std::string_view process, bool kills);
  std::optional<Tid> one_thread(std::string_view id);
  std::string id_of(Tid thread);
  std::string id_of(const Thread& thread) const;
  bool lives(Tid thread);
  std::string select(std::string_view request);

  Target& target_;
  Arrived arrived_;
  PacketReader reader_;
  bool acknowledges_ = true;
  bool multiprocess_ = false;
  bool sends_exec_ = false;
  bool sends_forks_ = false;
  bool is_lldb_ = false;
  bool over_ = false, killed_ = false;
  std::string last_sent_;
  std::string said_;  // packets to send before the answer
  Tid selected_;      // for registers and memory
  Tid moved_;         // for stepping
  std::optional<RegisterLayout> layout_;
  std::map<int, OpenFile> files_;
  std::vector<std::string> unasked_;  // symbols, while the client is being asked for them
  std::string object_name_, object_;  // being transferred in pieces
};

// "E01", or with the text for people.
std::string error_reply(const std::string& text);

}  // namespace tmrec::gdbstub
