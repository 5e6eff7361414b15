#include <asm/unistd_64.h>
#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "freestanding_capture.h"
#include "syscalls/decide.h"
#include "syscalls/table.h"

using namespace tmrec::syscalls;

namespace {

// Numbers and names of the kernel header this test was compiled with.
std::map<std::uint32_t, std::string> header_names() {
  std::map<std::uint32_t, std::string> names;
  std::ifstream in("/usr/include/x86_64-linux-gnu/asm/unistd_64.h");
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string define, name;
    std::uint32_t number = 0;
    if (words >> define >> name >> number && define == "#define" && name.starts_with("__NR_"))
      names[number] = name.substr(5);
  }
  return names;
}

// An argument's vocabulary makes sense on its own and points at an argument that can hold a length.
void check_argument(const Arg& a, const Arg* all, unsigned nargs) {
  if (a.shape == Shape::Value) {
    CHECK(a.dir == Dir::None);
    return;
  }
  CHECK(a.dir != Dir::None);
  const bool counted = a.shape == Shape::Iovec || a.shape == Shape::Mmsghdr;
  const bool has_rule = a.shape == Shape::Memory && a.rule != Rule::Fixed && a.rule != Rule::UpTo;
  if (a.shape == Shape::Memory) CHECK(a.size > 0);
  if (!counted && !has_rule) return;
  REQUIRE(a.from < nargs);
  const Arg& length = all[a.from];
  if (a.rule == Rule::ValueResult) {
    CHECK(length.shape == Shape::Memory);
    CHECK(length.dir == Dir::InOut);
    CHECK(length.size == 4);
  } else {
    CHECK(length.shape == Shape::Value);
    CHECK((length.type == Type::Int || length.type == Type::Uint || length.type == Type::Size));
  }
}

Call call_of(std::uint32_t nr, std::uint64_t a0 = 0, std::uint64_t a1 = 0, std::uint64_t a2 = 0, std::uint64_t a3 = 0) {
  return Call{.nr = nr, .args = {a0, a1, a2, a3, 0, 0}};
}

}  // namespace

TEST_CASE("the table is total and ordered") {
  for (std::uint32_t nr = 0; nr < 600; ++nr) {
    CAPTURE(nr);
    const bool known = nr <= number::kLastOld || (nr >= number::kFirstNew && nr <= number::kLast);
    CHECK(row(nr).nr == (known ? nr : ~0u));
    if (!known) {
      CHECK(std::string(row(nr).name) == "unknown");
      CHECK(decide(call_of(nr)).policy == Policy::Refuse);
      CHECK(decide(call_of(nr)).error == 38);
    }
  }
  CHECK(row(0x40000000).nr == ~0u);  // an x32 call
}

TEST_CASE("names are those of the kernel header") {
  const auto names = header_names();
  REQUIRE(names.size() > 350);
  for (const auto& [nr, name] : names) CHECK(name == row(nr).name);
}

TEST_CASE("rows are consistent") {
  std::set<std::string> names;
  for (std::uint32_t nr = 0; nr <= number::kLast; ++nr) {
    const Row& r = row(nr);
    if (r.nr != nr) continue;
    CAPTURE(std::string(r.name));
    CHECK(names.insert(r.name).second);
    for (unsigned i = 0; i < r.nargs; ++i) check_argument(r.args[i], r.args, r.nargs);
    CHECK((r.policy == Policy::Refuse) == (r.error != 0));
    if (r.policy == Policy::Refuse) CHECK(r.why != nullptr);
  }
}

TEST_CASE("commands are consistent") {
  for (std::uint32_t nr = 0; nr <= number::kLast; ++nr) {
    const Row& r = row(nr);
    if (r.nr != nr || !r.commands) continue;
    std::set<std::uint64_t> numbers;
    for (unsigned i = 0; i < r.commands->count; ++i) {
      const Command& c = r.commands->list[i];
      CAPTURE(std::string(c.name));
      CHECK(numbers.insert(c.number).second);
      CHECK((c.policy == Policy::Refuse) == (c.error != 0));
      if (c.policy == Policy::Refuse) CHECK(c.why != nullptr);
      Call call{.nr = nr, .args = {}};
      call.args[r.commands->arg] = c.number << r.commands->shift;
      const Signature s = signature(call);
      REQUIRE(s.command == &c);
      CHECK(s.nargs <= 6);
      for (unsigned a = 0; a < s.nargs; ++a) check_argument(s.args[a], s.args, s.nargs);
    }
  }
}

TEST_CASE("decisions follow number and command") {
  CHECK(decide(call_of(SYS_read)).policy == Policy::Record);
  CHECK(decide(call_of(SYS_read)).blocking == Blocking::MayWait);
  CHECK(decide(call_of(SYS_getpid)).blocking == Blocking::Never);
  CHECK(decide(call_of(SYS_sched_yield)).blocking == Blocking::Yield);
  CHECK(decide(call_of(SYS_mmap)).policy == Policy::Memory);
  CHECK(decide(call_of(SYS_mmap, 0, 4096, 3, 0x28)).error == EINVAL);
  CHECK(decide(call_of(SYS_execve)).policy == Policy::Process);
  CHECK(decide(call_of(SYS_clone, 0x4111)).blocking == Blocking::MayWait);
  CHECK(decide(call_of(SYS_clone, 0x800011)).policy == Policy::Refuse);
  CHECK(decide(call_of(SYS_rt_sigreturn)).policy == Policy::Sigreturn);
  CHECK(decide(call_of(SYS_restart_syscall)).policy == Policy::Restart);
  CHECK(decide(call_of(SYS_io_uring_setup)).error == ENOSYS);
  CHECK(decide(call_of(SYS_ptrace)).error == EPERM);
  CHECK(decide(call_of(SYS_prctl, PR_SET_NAME)).policy == Policy::Record);
  CHECK(decide(call_of(SYS_prctl, PR_SET_TSC)).policy == Policy::Virtual);
  CHECK(decide(call_of(SYS_prctl, PR_SET_MM)).error == EPERM);
  CHECK(decide(call_of(SYS_prctl, 123456)).error == EINVAL);
  CHECK(decide(call_of(SYS_futex, 0, 128 | 256 | 9)).blocking == Blocking::MayWait);
  CHECK(decide(call_of(SYS_futex, 0, 128 | 1)).blocking == Blocking::Never);
  CHECK(decide(call_of(SYS_madvise, 0, 0, 8)).policy == Policy::Memory);
  CHECK(decide(call_of(SYS_madvise, 0, 0, 8)).why != nullptr);
  CHECK(decide(call_of(SYS_madvise, 0, 0, 102)).error == EINVAL);
  CHECK(decide(call_of(SYS_pkey_mprotect, 0, 0, 0, ~0ull)).policy == Policy::Memory);
  CHECK(decide(call_of(SYS_pkey_mprotect, 0, 0, 0, 3)).error == EINVAL);
  CHECK(decide(call_of(SYS_socket, 44)).error == EAFNOSUPPORT);
  CHECK(decide(call_of(SYS_setsockopt, 3, 263, 5)).error == ENOPROTOOPT);
  CHECK_FALSE(decide(call_of(SYS_ioctl, 0, 0x5401)).noted);
  CHECK(decide(call_of(SYS_ioctl, 0, 0x80043201)).noted);
  CHECK(decide(call_of(SYS_ioctl, 0, 0xae01)).error == ENOTTY);
  CHECK(decide(call_of(SYS_ioctl, 0, 0xc0406400)).error == ENOTTY);
}

TEST_CASE("capture works without a library") {
  char buffer[64] = "/etc/passwd";
  const auto at = reinterpret_cast<std::uint64_t>(buffer);
  CHECK(test::freestanding_capture(SYS_read, {0, at, 64, 0, 0, 0}, 10) == 10);
  CHECK(test::freestanding_capture(SYS_openat, {0, at, 0, 0, 0, 0}, 3) == 12);
  CHECK(test::freestanding_capture(SYS_write, {1, at, 11, 0, 0, 0}, 11) == 22);  // as input, and as data written
}
