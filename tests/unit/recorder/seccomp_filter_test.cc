#include "recorder/seccomp_filter.h"

#include <doctest/doctest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <vector>

namespace tmrec::recorder {
namespace {

using Program = std::vector<sock_filter>;

constexpr sock_filter kLoadNumber = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
constexpr sock_filter kAllow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
constexpr sock_filter kKill = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);

bool fatal(const Program& program, bool by_prctl) {
  const sock_fprog given{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  const auto memory = tracee::RemoteMemory::open(::getpid());
  REQUIRE(memory);
  const auto at = reinterpret_cast<std::uint64_t>(&given);
  const std::uint64_t as_prctl[] = {22, SECCOMP_MODE_FILTER, at, 0, 0, 0};
  const std::uint64_t as_seccomp[] = {SECCOMP_SET_MODE_FILTER, 0, at, 0, 0, 0};
  return by_prctl ? makes_taken_back_calls_fatal(SYS_prctl, as_prctl, *memory)
                  : makes_taken_back_calls_fatal(SYS_seccomp, as_seccomp, *memory);
}

}  // namespace

TEST_CASE("a filter is run as the kernel runs it") {
  const Program by_number{kLoadNumber, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 1), kAllow, kKill};
  CHECK(run_filter(by_number, SYS_write) == SECCOMP_RET_ALLOW);
  CHECK(run_filter(by_number, SYS_read) == SECCOMP_RET_KILL_PROCESS);
  const Program by_arch{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 1), kAllow, kKill};
  CHECK(run_filter(by_arch, 0) == SECCOMP_RET_ALLOW);
  const Program computes{kLoadNumber,
                         BPF_STMT(BPF_ST, 3),
                         BPF_STMT(BPF_LDX | BPF_MEM, 3),
                         BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
                         BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
                         BPF_STMT(BPF_MISC | BPF_TAX, 0),
                         BPF_STMT(BPF_LD | BPF_IMM, 1),
                         BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0),
                         BPF_STMT(BPF_RET | BPF_A, 0)};
  CHECK(run_filter(computes, 4) == 256);
  CHECK(run_filter(computes, 128 + 2) == 16);
}

TEST_CASE("what is no filter has no verdict") {
  CHECK_FALSE(run_filter({}, 0));
  CHECK_FALSE(run_filter(Program{kLoadNumber}, 0));
  CHECK_FALSE(run_filter(Program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(seccomp_data)), kAllow}, 0));
  CHECK_FALSE(run_filter(Program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), kAllow}, 0));
  CHECK_FALSE(run_filter(Program{BPF_STMT(BPF_LD | BPF_MEM, 16), kAllow}, 0));
  CHECK_FALSE(run_filter(Program{BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), kAllow}, 0));
  CHECK_FALSE(run_filter(Program{BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), kAllow}, 0));
}

TEST_CASE("filters that kill what they do not know are fatal, those that refuse or permit it are not") {
  for (const bool by_prctl : {false, true}) {
    CHECK(fatal({kKill}, by_prctl));
    CHECK(fatal({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)}, by_prctl));
    CHECK(fatal({kLoadNumber, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 1), kAllow, kKill}, by_prctl));
    CHECK_FALSE(fatal({kAllow}, by_prctl));
    CHECK_FALSE(fatal({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 13)}, by_prctl));
    CHECK_FALSE(fatal({kLoadNumber, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount, 0, 1), kKill, kAllow}, by_prctl));
  }
}

}  // namespace tmrec::recorder
