// Framing of the GDB remote protocol: bytes to packets and back (GDB manual, "Overview" of the remote protocol).
//
//   $payload#hh     hh: sum of the payload's bytes modulo 256; bytes '#', '$', '}' and '*' in it are sent as '}' and
//   the
//                   byte XOR 0x20; "x*N" stands for N - 29 + 1 times x
//   + and -         received well, or not; neither is sent once both sides agreed to do without
//   0x03            interrupt, between packets
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tmrec::gdbstub {

// What a client may send in one packet, and is told as PacketSize.
inline constexpr std::size_t kMaxPacket = 0x20000;

std::string frame(std::string_view payload);
// A part of a payload that holds arbitrary bytes, as the client must be sent them.
std::string escape(std::string_view bytes);

class PacketReader {
 public:
  struct Item {
    enum class Kind { Packet, Interrupt, Refused, Resend } kind = Kind::Packet;
    std::string payload;  // Packet: escapes and repetitions resolved
  };

  void feed(std::string_view bytes);
  // What has arrived next; nullopt: nothing complete. Refused: a packet whose checksum is wrong, or that is too long.
  // Resend: the client did not receive our last packet well.
  std::optional<Item> next();
  // Takes an interrupt out of what waits, wherever it is between packets.
  bool take_interrupt();
  // Without acknowledgements there is nothing to resend, and nobody looks at checksums.
  void trust() { trusted_ = true; }

 private:
  std::optional<Item> packet(std::size_t begin);

  std::string waiting_;
  bool trusted_ = false;
  bool skipping_ = false;  // a packet that became too long
};

}  // namespace tmrec::gdbstub
