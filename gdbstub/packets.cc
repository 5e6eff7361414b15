#include "gdbstub/packets.h"

#include <algorithm>

#include "gdbstub/text.h"

namespace tmrec::gdbstub {

namespace {

constexpr char kInterrupt = 3;
constexpr char kEscape = '}', kRepeat = '*', kFlip = 0x20;
constexpr int kRepeatBias = 29;

std::uint8_t checksum(std::string_view payload) {
  std::uint8_t sum = 0;
  for (const char c : payload) sum = static_cast<std::uint8_t>(sum + static_cast<std::uint8_t>(c));
  return sum;
}

// nullopt: it does not say what is meant, or becomes too long.
std::optional<std::string> resolve(std::string_view raw) {
  std::string payload;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == kEscape) {
      if (++i == raw.size()) return std::nullopt;
      payload += static_cast<char>(raw[i] ^ kFlip);
    } else if (raw[i] == kRepeat) {
      const int times = ++i < raw.size() ? raw[i] - kRepeatBias : 0;
      if (payload.empty() || times < 3 || raw[i] > '~') return std::nullopt;
      payload.append(static_cast<std::size_t>(times), payload.back());
    } else {
      payload += raw[i];
    }
    if (payload.size() > kMaxPacket) return std::nullopt;
  }
  return payload;
}

}  // namespace

std::string frame(std::string_view payload) {
  std::string framed = "$";
  framed += payload;
  framed += '#';
  framed += hex_byte(checksum(payload));
  return framed;
}

std::string escape(std::string_view bytes) {
  std::string escaped;
  escaped.reserve(bytes.size());
  for (const char c : bytes) {
    if (c == '#' || c == '$' || c == kEscape || c == kRepeat) {
      escaped += kEscape;
      escaped += static_cast<char>(c ^ kFlip);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

void PacketReader::feed(std::string_view bytes) { waiting_ += bytes; }

// What stands between packets: acknowledgements, and line noise that is passed over.
std::optional<PacketReader::Item> PacketReader::next() {
  std::size_t at = 0;
  for (; at < waiting_.size(); ++at) {
    const char c = waiting_[at];
    if (skipping_) {
      skipping_ = c != '#';
      continue;
    }
    if (c == '$') break;
    if (c != kInterrupt && c != '-') continue;
    waiting_.erase(0, at + 1);
    return Item{c == '-' ? Item::Kind::Resend : Item::Kind::Interrupt, {}};
  }
  waiting_.erase(0, at);
  return waiting_.empty() ? std::nullopt : packet(1);
}

std::optional<PacketReader::Item> PacketReader::packet(std::size_t begin) {
  const std::size_t end = waiting_.find('#', begin);
  if (end == std::string::npos && waiting_.size() > 2 * kMaxPacket) {
    waiting_.clear();
    skipping_ = true;
    return Item{Item::Kind::Refused, {}};
  }
  if (end == std::string::npos || waiting_.size() < end + 3) return std::nullopt;
  const std::string_view raw = std::string_view(waiting_).substr(begin, end - begin);
  const auto sum = parse_hex_bytes(std::string_view(waiting_).substr(end + 1, 2));
  const bool sound = trusted_ || (sum && static_cast<std::uint8_t>(sum->front()) == checksum(raw));
  auto payload = sound ? resolve(raw) : std::nullopt;
  waiting_.erase(0, end + 3);
  if (!payload) return Item{Item::Kind::Refused, {}};
  return Item{Item::Kind::Packet, std::move(*payload)};
}

bool PacketReader::take_interrupt() {
  bool inside = false;
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    if (waiting_[i] == '$') inside = true;
    if (waiting_[i] == '#') inside = false;
    if (inside || waiting_[i] != kInterrupt) continue;
    waiting_.erase(i, 1);
    return true;
  }
  return false;
}

}  // namespace tmrec::gdbstub
