#include "gdbstub/stub.h"

#include <doctest/doctest.h>

#include "gdbstub/signals.h"
#include "tests/unit/gdbstub/fake_target.h"

using namespace tmrec;
using namespace tmrec::gdbstub;

namespace {

struct Session {
  FakeTarget target;
  std::optional<std::string> arriving = "";
  std::optional<Stub> stub;

  Session() {
    stub.emplace(target, [this] {
      auto bytes = arriving;
      if (arriving) arriving = "";
      return bytes;
    });
    REQUIRE(stub->feed(frame("QStartNoAckMode")) == "+" + frame("OK"));
  }
  std::string ask(const std::string& payload) {
    PacketReader reader;
    reader.feed(stub->feed(frame(payload)));
    auto item = reader.next();
    REQUIRE(item);
    CHECK_FALSE(reader.next());
    return item->payload;
  }
};

bool fails(const std::string& reply) { return reply.starts_with("E"); }

}  // namespace

TEST_CASE("packets are acknowledged until both sides do without") {
  FakeTarget target;
  Stub stub(target, [] { return std::string(); });
  CHECK(stub.feed(frame("qAttached")) == "+" + frame("1"));
  CHECK(stub.feed("-") == frame("1"));
  CHECK(stub.feed("$qAttached#00") == "-");
  CHECK(stub.feed(frame("QStartNoAckMode")) == "+" + frame("OK"));
  CHECK(stub.feed(frame("qAttached")) == frame("1"));
}

TEST_CASE_FIXTURE(Session, "a damaged packet gets an error, also without acknowledgements") {
  const std::string longest(kMaxPacket, 'q');
  for (const std::string& packet :
       {std::string("}"), std::string("*"), std::string("q*"), std::string("m0,1}"), longest + "q"}) {
    CHECK(fails(ask(packet)));
  }
  CHECK(ask(longest).empty());
  // One that never ends is passed over, and what follows it is answered.
  PacketReader reader;
  reader.feed(stub->feed("$" + std::string(4 * kMaxPacket, 'a')) + stub->feed("#00" + frame("qAttached")));
  CHECK(fails(reader.next()->payload));
  CHECK(reader.next()->payload == "1");
  CHECK_FALSE(reader.next());
}

TEST_CASE_FIXTURE(Session, "what a client says in the middle of a packet is lost with it") {
  CHECK(stub->feed("$qAtta").empty());
  CHECK(stub->feed("ched").empty());
  CHECK(stub->feed("#0").empty());
  CHECK(stub->feed("0$m1000") == frame("1"));
  stub.reset();
  CHECK(target.left);
}

TEST_CASE_FIXTURE(Session, "an unknown command gets an empty answer") {
  for (const char* packet : {"qNothing", "vNothing", "Qnothing", "bx", "vMustReplyEmpty", "i", "R00"}) {
    CHECK(ask(packet).empty());
  }
}

TEST_CASE_FIXTURE(Session, "what is supported depends on the client") {
  CHECK(ask("qSupported").find("multiprocess") == std::string::npos);
  const std::string answer = ask("qSupported:multiprocess+;exec-events+;xmlRegisters=i386");
  CHECK(answer.find("multiprocess+") != std::string::npos);
  CHECK(answer.find("exec-events+") != std::string::npos);
  CHECK(answer.find("ReverseContinue+") != std::string::npos);
}

TEST_CASE_FIXTURE(Session, "threads are named with their process when the client knows processes") {
  CHECK(ask("qfThreadInfo") == "ma,b");
  CHECK(ask("qsThreadInfo") == "l");
  ask("qSupported:multiprocess+");
  CHECK(ask("qfThreadInfo") == "mpa.a,pa.b");
  CHECK(ask("qC") == "QCpa.a");
  CHECK(ask("Tpa.b") == "OK");
  CHECK(fails(ask("Tpa.c")));
  CHECK(fails(ask("Tpb.b")));
  CHECK(ask("qThreadExtraInfo,pa.b") == hex(std::string_view("<worker> (in futex)")));
  const std::string xml = ask("qXfer:threads:read::0,1000");
  CHECK(xml.find("<thread id=\"pa.b\" name=\"&#60;worker&#62;\">in futex</thread>") != std::string::npos);
}

TEST_CASE_FIXTURE(Session, "a client may debug several processes") {
  ask("qSupported:multiprocess+;fork-events+;vfork-events+");
  CHECK(target.forks);
  CHECK_FALSE(target.execs);
  CHECK(fails(ask("Hgp14.14")));
  CHECK(fails(ask("vCont;c:p14.-1")));
  CHECK(fails(ask("D;14")));
  CHECK_FALSE(stub->over());
  target.next.push_back(
      Stop{.why = Stop::Why::VForked, .thread = Tid(10), .watch = {}, .program = {}, .child = Tid(20)});
  CHECK(ask("vCont;c").starts_with("T05thread:pa.a;vfork:p14.14;"));
  target.next.push_back(Stop{.why = Stop::Why::VForkDone, .thread = Tid(10), .watch = {}, .program = {}});
  CHECK(ask("vCont;c").find(";vforkdone:;") != std::string::npos);
  target.has_child = true;
  CHECK(ask("qfThreadInfo") == "mpa.a,pa.b,p14.14");
  CHECK(ask("Hgp14.0") == "OK");
  CHECK(target.viewed == Tid(20));
  CHECK(ask("vCont;c:p14.-1").starts_with("T"));
  CHECK(target.resumed.back().process == Tid(20));
  CHECK(ask("vCont;s:pa.b").starts_with("T"));
  CHECK(target.resumed.back().process == Tid(10));
  CHECK(fails(ask("vCont;c:p15.-1")));
  CHECK(ask("Hgp14.14") == "OK");
  CHECK(ask("D;14") == "OK");
  CHECK_FALSE(stub->over());
  CHECK(target.viewed == Tid(10));
  CHECK(ask("!") == "OK");
  CHECK(ask("vAttach;14").starts_with("T"));
  CHECK(ask("qC") == "QCp14.14");
  for (const char* bad : {"vAttach;15", "vAttach;", "vAttach;ffffffffff", "D;", "D;x", "vKill;15"})
    CHECK(fails(ask(bad)));
  CHECK(ask("vKill;14") == "OK");
  CHECK_FALSE(stub->over());
  CHECK(ask("vKill;a") == "OK");
  CHECK(stub->killed());
}

TEST_CASE_FIXTURE(Session, "lldb is told of machine, process, memory and threads") {
  CHECK(ask("qHostInfo").find("triple:" + hex(std::string_view("x86_64-pc-linux-gnu")) + ";") != std::string::npos);
  CHECK(ask("qProcessInfo").starts_with("pid:a;"));
  CHECK(ask("qMemoryRegionInfo:1010") ==
        "start:1000;size:100;permissions:rw;name:" + hex(std::string_view("[heap]")) + ";");
  CHECK(ask("qMemoryRegionInfo:0") == "start:0;size:1000;");
  CHECK(ask("qMemoryRegionInfo:ffffffffffffffff") == "start:1100;size:ffffffffffffeeff;");
  CHECK(fails(ask("qMemoryRegionInfo:")));
  CHECK(fails(ask("qMemoryRegionInfo:10000000000000000")));
  CHECK(ask("jThreadsInfo") ==
        R"([{"tid":10,"name":"main","reason":"signal","signal":5},{"tid":11,"name":"<worker>","reason":"none"}])");
  CHECK(ask("jNothing").empty());
  CHECK(ask("QThreadSuffixSupported").empty());
  CHECK(ask("_M80,rwx") == "1000");
  CHECK(ask("_M1000,rw") == "E01");
  CHECK(ask("_m1000") == "OK");
  for (const char* bad : {"_M", "_M,", "_Mx,rw", "_M10000000000000000,r", "_m", "_mx", "_m2000"})
    CHECK(fails(ask(bad)));
  target.next.push_back(Stop{.why = Stop::Why::Executed, .thread = Tid(10), .watch = {}, .program = "/x"});
  CHECK(ask("c").starts_with("T05thread:a;reason:exec;hexname:" + hex(std::string_view("main")) + ";"));
}

TEST_CASE_FIXTURE(Session, "registers are those of the selected thread") {
  target.regs[11].rip = 0x42;
  CHECK(ask("p10") == "0000000000000000");
  CHECK(ask("Hgb") == "OK");
  CHECK(ask("p10") == "4200000000000000");
  CHECK(ask("P10=4300000000000000") == "OK");
  CHECK(target.regs[11].rip == 0x43);
  CHECK(fails(ask("p1000")));
  CHECK(fails(ask("P10=43")));
  const std::string all = ask("g");
  CHECK(ask("G" + all) == "OK");
  CHECK(fails(ask("G00")));
  CHECK(fails(ask("Hgc")));
  CHECK(ask("Hg0") == "OK");
  CHECK(ask("p10") == "0000000000000000");
}

TEST_CASE_FIXTURE(Session, "memory is read and written in three forms") {
  CHECK(ask("M1000,3:610a23") == "OK");
  CHECK(ask("m1000,3") == "610a23");
  CHECK(ask("x1000,3") == "ba\n#");
  CHECK(ask("X1001,2:" + escape("}#")) == "OK");
  CHECK(ask("m1000,3") == "617d23");
  CHECK(ask("m10fe,10") == "0000");
  CHECK(fails(ask("m2000,1")));
  CHECK(fails(ask("m1000,")));
  CHECK(fails(ask("mxyz,1")));
  CHECK(fails(ask("M1000,4:00")));
  CHECK(fails(ask("X10ff,2:ab")));
  CHECK(ask("m1000,ffffffffffffffff").size() == 512);
}

TEST_CASE_FIXTURE(Session, "memory is searched") {
  ask("M1080,4:6e6565");
  ask("M1080,3:6e6565");
  CHECK(ask("qSearch:memory:1000;100;nee") == "1,1080");
  CHECK(ask("qSearch:memory:1081;7f;nee") == "0");
  CHECK(fails(ask("qSearch:memory:9000;10;nee")));
  CHECK(fails(ask("qSearch:memory:1000;10;")));
}

TEST_CASE_FIXTURE(Session, "breakpoints are the target's, and go with the client") {
  CHECK(ask("Z0,1000,1") == "OK");
  CHECK(ask("Z2,1010,8") == "OK");
  REQUIRE(target.breakpoints.size() == 2);
  CHECK(target.breakpoints[1] == Breakpoint{Breakpoint::Kind::Write, RemoteAddr(0x1010), 8});
  CHECK(ask("z0,1000,1") == "OK");
  CHECK(target.breakpoints.size() == 1);
  CHECK(ask("Z5,1000,1").empty());
  CHECK(ask("Z0,1000,1;X3,220127X3,220027") == "OK");
  CHECK(target.breakpoints.back().conditions == std::vector<std::string>{"\x22\x01\x27", std::string("\x22\0\x27", 3)});
  for (const char* bad : {"Z0,1000,1;X", "Z0,1000,1;X3", "Z0,1000,1;X3,2201", "Z0,1000,1;X0,", "Z0,1000,1;X3,22012g",
                          "Z0,1000,1;X3,220127Y", "Z0,1000,1;Xffffffffffffffff,22", "Z0,1000,1;x"}) {
    CHECK(fails(ask(bad)));
  }
  CHECK(ask("z0,1000,1") == "OK");
  CHECK(fails(ask("Z2,1000,0")));
  CHECK(fails(ask("Z0,1000")));
  stub.reset();
  CHECK(target.breakpoints.empty());
  CHECK(target.left);
}

TEST_CASE_FIXTURE(Session, "vCont tells which thread steps") {
  CHECK(ask("vCont?") == "vCont;c;C;s;S;r");
  ask("vCont;c");
  CHECK_FALSE(target.resumed.back().step);
  ask("vCont;s:b;c");
  CHECK(target.resumed.back().step == Tid(11));
  ask("vCont;r1000,1010:b;c:-1");
  CHECK(target.resumed.back().range_end == RemoteAddr(0x1010));
  CHECK(fails(ask("vCont;s:c")));
  CHECK(fails(ask("vCont;t")));
  CHECK(fails(ask("vCont;")));
  CHECK(fails(ask("vCont;r10:b")));
  ask("bc");
  CHECK(target.resumed.back().backward);
  ask("Hcb");
  ask("bs");
  CHECK(target.resumed.back().step == Tid(11));
  CHECK(target.resumed.back().backward);
}

TEST_CASE_FIXTURE(Session, "system calls are caught by number, all of them, or none") {
  CHECK(ask("QCatchSyscalls:1;3b;0") == "OK");
  CHECK(target.caught == std::vector<std::uint64_t>{0x3b, 0});
  CHECK(ask("QCatchSyscalls:1") == "OK");
  CHECK(target.caught == std::vector<std::uint64_t>{});
  for (const char* bad :
       {"QCatchSyscalls:", "QCatchSyscalls:2", "QCatchSyscalls:0;1", "QCatchSyscalls:1;", "QCatchSyscalls:1;x"}) {
    CHECK(fails(ask(bad)));
    CHECK(target.caught);
  }
  CHECK(ask("QCatchSyscalls:0") == "OK");
  CHECK_FALSE(target.caught);
  Stop stop = target.stop;
  stop.why = Stop::Why::SyscallEntry;
  stop.number = 0x3b;
  target.next.push_back(stop);
  CHECK(ask("c").starts_with("T05thread:a;syscall_entry:3b;"));
  stop.why = Stop::Why::SyscallReturn;
  target.next.push_back(stop);
  CHECK(ask("c").starts_with("T05thread:a;syscall_return:3b;"));
}

TEST_CASE_FIXTURE(Session, "the client is asked for symbols one by one, whenever it has learned some") {
  for (int i = 0; i < 2; ++i) {
    CHECK(ask("qSymbol::") == "qSymbol:" + hex(std::string_view("two")));
    CHECK(ask("qSymbol:1234:" + hex(std::string_view("two"))) == "qSymbol:" + hex(std::string_view("one")));
    CHECK(ask("qSymbol::" + hex(std::string_view("one"))) == "OK");
    CHECK(target.symbols["two"] == RemoteAddr(0x1234));
    CHECK_FALSE(target.symbols["one"]);
  }
  CHECK(fails(ask("qSymbol:1:x")));
}

TEST_CASE_FIXTURE(Session, "a thread-local variable is where the target says") {
  CHECK(ask("qGetTLSAddr:b,10,1000") == "101b");
  CHECK(fails(ask("qGetTLSAddr:b,10,0")));
  for (const char* bad :
       {"qGetTLSAddr:", "qGetTLSAddr:b", "qGetTLSAddr:b,10", "qGetTLSAddr:b,10,x", "qGetTLSAddr:b,10,1,1"})
    CHECK(fails(ask(bad)));
}

TEST_CASE_FIXTURE(Session, "stops say why") {
  using Why = Stop::Why;
  ask("qSupported:multiprocess+;exec-events+");
  Stop stop{.why = Why::Watchpoint, .thread = Tid(11), .signal = 0, .watch = {}, .program = {}};
  stop.watch = {Breakpoint::Kind::Access, RemoteAddr(0x1234), 4};
  target.next.push_back(stop);
  CHECK(ask("vCont;c").starts_with("T05thread:pa.b;awatch:1234;"));
  CHECK(ask("qC") == "QCpa.b");
  stop.why = Why::Signal;
  stop.signal = 7;  // SIGBUS
  target.next.push_back(stop);
  CHECK(ask("vCont;c").starts_with("T0athread:pa.b;06:"));
  stop.why = Why::Moved;
  target.next.push_back(stop);
  CHECK(ask("bc").starts_with("T00thread:pa.b;06:"));
  stop.why = Why::HistoryBegin;
  target.next.push_back(stop);
  CHECK(ask("bc").starts_with("T05thread:pa.b;replaylog:begin;"));
  stop.why = Why::Executed;
  stop.program = "/x";
  target.next.push_back(stop);
  CHECK(ask("c").starts_with("T05thread:pa.b;exec:2f78;"));
  stop.why = Why::Exited;
  stop.status = 3 << 8;
  target.next.push_back(stop);
  CHECK(ask("c") == "W03;process:a");
  CHECK(ask("?") == "W03;process:a");
  stop.status = 11;
  target.next.push_back(stop);
  CHECK(ask("c") == "X0b;process:a");
}

TEST_CASE_FIXTURE(Session, "what was said on the way comes before the stop, in pieces") {
  Stop stop = target.stop;
  stop.said = std::string(700, 'x') + "\n";
  target.next.push_back(stop);
  const std::string answer = stub->feed(frame("c"));
  CHECK(answer.starts_with(frame("O" + hex(std::string(512, 'x'))) + frame("O" + hex(std::string(188, 'x') + "\n")) +
                           "$T05"));
  stop.said.clear();
  target.next.push_back(stop);
  CHECK(stub->feed(frame("c")).starts_with("$T05"));
}

TEST_CASE_FIXTURE(Session, "an interrupt, or the client's end, reaches a process that runs") {
  target.asks_for_interrupt = true;
  ask("c");
  CHECK_FALSE(target.was_interrupted);
  arriving = "\x03";
  ask("c");
  CHECK(target.was_interrupted);
  target.was_interrupted = false;
  arriving = std::nullopt;
  stub->feed(frame("c"));
  CHECK(target.was_interrupted);
  CHECK(stub->over());
}

TEST_CASE_FIXTURE(Session, "objects are read in pieces") {
  CHECK(ask("qXfer:exec-file:read:a:0,5") == "m/bin/");
  CHECK(ask("qXfer:exec-file:read:a:5,100") == "lguest");
  CHECK(ask("qXfer:exec-file:read:a:a,100") == "l");
  CHECK(ask("qXfer:auxv:read::0,100") == "la#b");
  CHECK(fails(ask("qXfer:siginfo:read::0,100")));
  CHECK(fails(ask("qXfer:auxv:read::0")));
  CHECK(ask("qXfer:nothing:read::0,100").empty());
  CHECK(ask("qXfer:auxv:write::0:00").empty());
  CHECK(ask("qXfer:features:read:target.xml:0,20000").starts_with("l<?xml"));
}

TEST_CASE_FIXTURE(Session, "files are the target's") {
  CHECK(ask("vFile:setfs:0") == "F0");
  CHECK(ask("vFile:open:" + hex(std::string_view("/none")) + ",0,0") == "F-1,2");
  CHECK(ask("vFile:open:" + hex(std::string_view("/bin/guest")) + ",1,0") == "F-1,1e");
  CHECK(ask("vFile:open:" + hex(std::string_view("/bin/guest")) + ",0,0") == "F7");
  CHECK(ask("vFile:pread:7,100,1") == "F4;}b*c");
  CHECK(ask("vFile:pread:7,100,9") == "F0;");
  CHECK(ask("vFile:fstat:7").starts_with("F40;"));
  CHECK(ask("vFile:pread:8,100,1") == "F-1,9");
  CHECK(ask("vFile:close:7") == "F0");
  CHECK(ask("vFile:close:7") == "F-1,9");
  CHECK(ask("vFile:unlink:00").empty());
  ask("vFile:open:" + hex(std::string_view("/bin/guest")) + ",0,0");
  stub.reset();
  CHECK(target.opened == 0);
}

TEST_CASE_FIXTURE(Session, "monitor commands are the target's") {
  CHECK(ask("qRcmd," + hex(std::string_view("when"))) == hex(std::string_view("answer\n")));
  CHECK(target.command == "when");
  CHECK(fails(ask("qRcmd,7")));
}

TEST_CASE_FIXTURE(Session, "non-stop is refused, all-stop is not") {
  CHECK(ask("QNonStop:0") == "OK");
  CHECK(fails(ask("QNonStop:1")));
}

TEST_CASE_FIXTURE(Session, "signals that pass are translated") {
  CHECK(ask("QPassSignals:e;14;1e") == "OK");  // ALRM, CHLD, USR1
  CHECK(target.passed == (1ull << 13 | 1ull << 16 | 1ull << 9));
  CHECK(fails(ask("QPassSignals:zz")));
}

TEST_CASE("signals keep their meaning there and back") {
  for (int signal = 1; signal <= 64; ++signal) {
    if (signal == 16) continue;  // SIGSTKFLT, which the protocol does not know
    CHECK(linux_signal(protocol_signal(signal)) == signal);
  }
  CHECK(protocol_signal(34) == 46);
  CHECK(linux_signal(143) == 0);
}

TEST_CASE_FIXTURE(Session, "goodbye ends the session") {
  CHECK(ask("D;a") == "OK");
  CHECK(stub->over());
  CHECK_FALSE(stub->killed());
  Session other;
  CHECK(other.ask("vKill;a") == "OK");
  CHECK(other.stub->killed());
}
