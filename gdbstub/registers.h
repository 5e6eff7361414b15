// The registers a client sees: their description in XML (GDB manual, "i386 Features") and their places in the kernel's
// register sets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/event.h"
#include "format/regs.h"

namespace tmrec::gdbstub {

// General registers and the XSAVE area (standard format) of a thread.
struct RegisterFile {
  Regs general;
  Bytes extended;
};

// Which registers a machine state has depends on the components in its XSAVE area.
class RegisterLayout {
 public:
  // `extended`: an area of the traced process.
  explicit RegisterLayout(const Bytes& extended);

  std::size_t count() const { return registers_.size(); }
  std::string description() const;

  // Bytes of the register, least significant first; empty: there is no such register.
  std::string get(const RegisterFile& file, std::size_t number) const;
  // False: no such register, another size, or a value it can't have.
  bool set(RegisterFile& file, std::size_t number, std::string_view bytes) const;
  // All of them, in the order of their numbers, as g and G exchange them.
  std::string all(const RegisterFile& file) const;
  bool set_all(RegisterFile& file, std::string_view bytes) const;

  static constexpr std::size_t kRbp = 6, kRsp = 7, kRip = 16;

 private:
  struct Register {
    std::string name;
    const char* type;
    const char* group;  // nullptr: the default one
    const char* feature;
    std::uint32_t size;    // in bytes, as the client sees it
    std::uint32_t stored;  // bytes that are there
    bool general;          // in Regs; else in the XSAVE area
    std::uint32_t offset;
    std::uint32_t component;  // of the XSAVE area
  };
  void add(std::string name, const char* type, std::uint32_t size, bool general, std::size_t offset,
           const char* group = nullptr, std::uint32_t stored = 0, std::uint32_t component = 0);
  void add_core();
  void add_vectors(std::uint64_t components);

  const char* feature_ = "";
  std::vector<Register> registers_;
};

}  // namespace tmrec::gdbstub
