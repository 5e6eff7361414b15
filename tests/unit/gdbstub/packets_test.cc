#include "gdbstub/packets.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace tmrec::gdbstub;
using Kind = PacketReader::Item::Kind;

TEST_CASE("a payload is framed with its checksum") {
  CHECK(frame("") == "$#00");
  CHECK(frame("OK") == "$OK#9a");
  CHECK(escape("a#$}*") == "a}\x03}\x04}]}\n");
}

TEST_CASE("packets arrive in pieces of any size") {
  PacketReader reader;
  const std::string bytes = "+" + frame("m1000,4") + frame("g");
  std::vector<std::string> seen;
  for (const char c : bytes) {
    reader.feed({&c, 1});
    while (auto item = reader.next()) {
      CHECK(item->kind == Kind::Packet);
      seen.push_back(item->payload);
    }
  }
  CHECK(seen == std::vector<std::string>{"m1000,4", "g"});
}

TEST_CASE("escapes and repetitions are resolved") {
  PacketReader reader;
  reader.feed(frame(escape("#}$*x")));
  CHECK(reader.next()->payload == "#}$*x");
  reader.feed(frame("0* 1"));  // ' ' is 32: three more
  CHECK(reader.next()->payload == "00001");
}

TEST_CASE("a damaged packet is refused") {
  PacketReader reader;
  reader.feed("$OK#00");
  CHECK(reader.next()->kind == Kind::Refused);
  reader.feed(frame("}"));
  CHECK(reader.next()->kind == Kind::Refused);
  reader.feed(frame("* "));
  CHECK(reader.next()->kind == Kind::Refused);
  reader.feed("$OK#zz");
  CHECK(reader.next()->kind == Kind::Refused);
  reader.trust();
  reader.feed("$OK#zz");
  CHECK(reader.next()->payload == "OK");
}

TEST_CASE("a packet that never ends takes no more memory than the largest one") {
  PacketReader reader;
  reader.feed("$" + std::string(3 * kMaxPacket, 'x'));
  CHECK(reader.next()->kind == Kind::Refused);
  CHECK_FALSE(reader.next());
  reader.feed(std::string(kMaxPacket, 'x') + "#00" + frame("g"));
  CHECK(reader.next()->payload == "g");
}

TEST_CASE("interrupts are found between packets alone") {
  PacketReader reader;
  reader.feed(std::string("$m\x03#00") + "\x03" + frame("g"));
  CHECK(reader.take_interrupt());
  CHECK_FALSE(reader.take_interrupt());
  CHECK(reader.next()->kind == Kind::Refused);
  CHECK(reader.next()->payload == "g");
  reader.feed("\x03");
  CHECK(reader.next()->kind == Kind::Interrupt);
}
