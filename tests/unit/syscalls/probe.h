// Proves rows of the table against the running kernel.
//
// Problem: a wrong length in a row is a desync in somebody's replay, years later. Solution: really perform the call on
// memory filled with a pattern, and demand that every byte the kernel changed lies in what capture names. Each scenario
// runs with two patterns, so that a byte the kernel wrote cannot hide by being the pattern. Rejected: comparing with
// lengths written down in the test, which would repeat the table's mistakes.
#pragma once

#include <cstdint>
#include <cstring>
#include <set>
#include <span>
#include <string>

#include "local_memory.h"
#include "syscalls/capture.h"

namespace tmrec::syscalls::test {

class Probe {
 public:
  explicit Probe(unsigned char pattern);
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  // n bytes of watched memory with untouched bytes around them.
  void* buffer(std::size_t n);

  template <class T>
  T* put(const T& value) {
    void* at = buffer(sizeof value);
    std::memcpy(at, &value, sizeof value);
    return static_cast<T*>(at);
  }
  template <class T>
  T* make() {
    return static_cast<T*>(buffer(sizeof(T)));
  }
  char* text(const char* s) {
    return static_cast<char*>(std::memcpy(buffer(std::strlen(s) + 1), s, std::strlen(s) + 1));
  }

  // Performs the call and checks it. Pointers and integers alike are arguments.
  template <class... A>
  std::int64_t call(std::uint32_t nr, A... args) {
    Call c{.nr = nr, .args = {}};
    std::size_t i = 0;
    ((c.args[i++] = argument(args)), ...);
    return perform(c);
  }
  std::int64_t perform(const Call& c);

  // From now on as for a program that has opened a file with O_DIRECT.
  void use_direct_io() { direct_io_ = true; }

  const RangeSink& captured() const { return sink_; }
  std::size_t changed() const { return changed_; }  // bytes of the last call
  static const std::set<std::uint32_t>& proved();   // numbers of the calls that changed memory and passed

 private:
  template <class T>
  static std::uint64_t argument(T value) {
    if constexpr (std::is_same_v<T, std::nullptr_t>)
      return 0;
    else if constexpr (std::is_pointer_v<T>)
      return reinterpret_cast<std::uint64_t>(value);
    else
      return static_cast<std::uint64_t>(value);
  }

  unsigned char* arena_;
  std::size_t used_ = 0;
  RangeSink sink_;
  std::size_t changed_ = 0;
  bool direct_io_ = false;
};

// One use of one or more calls.
struct Scenario {
  const char* name;
  void (*run)(Probe&);
};

std::span<const Scenario> file_scenarios();
std::span<const Scenario> io_scenarios();
std::span<const Scenario> net_scenarios();
std::span<const Scenario> process_scenarios();
std::span<const Scenario> time_scenarios();
std::span<const Scenario> ioctl_scenarios();

}  // namespace tmrec::syscalls::test
