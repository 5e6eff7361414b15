// A debugger that sends anything: the stub answers, or ends.
#include "gdbstub/stub.h"
#include "tests/fuzz/target.h"
#include "tests/unit/gdbstub/fake_target.h"

namespace tmrec::fuzz {

namespace {

using gdbstub::frame;

void check_answers(std::string_view bytes) {
  gdbstub::PacketReader reader;
  reader.feed(bytes);
  while (auto item = reader.next()) {
    require(item->kind != gdbstub::PacketReader::Item::Kind::Refused, "an answer is a sound packet");
  }
}

void run(std::span<const std::uint8_t> input) {
  gdbstub::FakeTarget target;
  target.asks_for_interrupt = true;
  const std::string text(input.begin(), input.end());
  {
    gdbstub::Stub stub(target, [] { return std::string(); });
    check_answers(stub.feed(text));
    if (!stub.over()) require(!stub.feed("+" + frame("?")).empty(), "a stub that goes on answers");
  }
  gdbstub::Stub payloads(target, [] { return std::string(); });
  check_answers(payloads.feed(frame("QStartNoAckMode")));
  // The same bytes as payloads, so that mutations need no sound checksum.
  for (std::size_t at = 0; at < text.size() && !payloads.over();) {
    const std::size_t end = std::min(text.find('#', at), text.size());
    check_answers(payloads.feed(frame(text.substr(at, end - at))));
    at = end + 1;
  }
  require(target.opened >= 0, "files are closed once");
}

std::vector<Bytes> seeds() {
  std::vector<Bytes> all;
  const auto add = [&](std::initializer_list<const char*> packets) {
    std::string bytes;
    for (const char* packet : packets) bytes += frame(packet);
    all.emplace_back(bytes.begin(), bytes.end());
  };
  add({"qSupported:multiprocess+;exec-events+", "vCont?", "qXfer:features:read:target.xml:0,1000", "?",
       "qfThreadInfo"});
  add({"Hgpa.b", "g", "p10", "P10=4300000000000000", "m1000,40", "M1000,2:6162", "X1000,2:ab", "x1000,2"});
  add({"Z0,1000,1", "Z2,1000,8", "vCont;s:b;c", "vCont;r1000,1010:b", "bs", "bc", "z0,1000,1"});
  add({"vFile:setfs:0", "vFile:open:2f62696e2f6775657374,0,0", "vFile:pread:7,100,1", "vFile:fstat:7",
       "vFile:close:7"});
  add({"qSearch:memory:1000;100;ab", "qRcmd,7768656e", "QPassSignals:e;14", "qThreadExtraInfo,b", "Tb", "D"});
  add({"Z0,1000,1;X3,220127X9,260007220022011327", "vCont;c"});
  add({"QCatchSyscalls:1;3b;0", "QCatchSyscalls:0", "qSymbol::", "qSymbol:1234:74776f", "qGetTLSAddr:b,10,1000"});
  return all;
}

}  // namespace

const Target gdb_target{"gdb", run, seeds};

}  // namespace tmrec::fuzz
