// What the CPU and the kernel let a process do with instructions and system calls of its own: trap the instructions
// whose results differ from run to run, dispatch system calls in user mode, fix the address layout.

#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include <csignal>

#include "cli/probe.h"
#include "cli/probe_child.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59  // include/uapi/linux/prctl.h, Linux 5.11
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#endif
#ifndef ARCH_SET_CPUID
#define ARCH_SET_CPUID 0x1012  // arch/x86/include/uapi/asm/prctl.h
#endif

namespace tmrec::cli {
namespace {

void catch_signal(int signo, void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action{};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(signo, &action, nullptr);
}

// A trapped instruction arrives as SIGSEGV: the probe's success.
void succeed(int, siginfo_t*, void*) { ::_exit(0); }

Probe probe_tsc() {
  ProbeChild child([] {
    if (::prctl(PR_SET_TSC, PR_TSC_SIGSEGV) != 0) return 1;
    catch_signal(SIGSEGV, succeed);
    return __rdtsc() == 0 ? 2 : 1;
  });
  Probe probe{.name = "tsc", .ok = child.succeeded(), .needed = false, .meaning = {}, .advice = {}};
  probe.meaning = probe.ok ? "rdtsc can be trapped: programs that read it are recorded exactly"
                           : "rdtsc cannot be trapped (PR_SET_TSC): programs that read it themselves will desync";
  if (!probe.ok) probe.advice = "let the sandbox pass prctl(PR_SET_TSC)";
  return probe;
}

Probe probe_cpuid() {
  ProbeChild child([] {
    if (::syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) != 0) return 1;
    catch_signal(SIGSEGV, succeed);
    unsigned a = 0, b = 0, c = 0, d = 0;
    __cpuid(0, a, b, c, d);
    return 1;
  });
  Probe probe{.name = "cpuid", .ok = child.succeeded(), .needed = false, .meaning = {}, .advice = {}};
  probe.meaning = probe.ok
                      ? "cpuid can be trapped: traces replay on other CPUs that have the instructions used"
                      : "cpuid cannot be trapped: a trace replays on the same model of CPU, elsewhere it may desync";
  if (!probe.ok) probe.advice = "nothing to do here: the CPU and the hypervisor decide";
  return probe;
}

volatile char dispatch_selector = 0;  // SYSCALL_DISPATCH_FILTER_ALLOW; 1 is BLOCK
volatile bool dispatched = false;

void on_sigsys(int, siginfo_t* info, void*) {
  dispatch_selector = 0;
  dispatched = info->si_code == 2 && info->si_syscall == SYS_getppid;  // SYS_USER_DISPATCH
}

Probe probe_dispatch() {
  ProbeChild child([] {
    catch_signal(SIGSYS, on_sigsys);
    if (::prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &dispatch_selector) != 0) return 1;
    dispatch_selector = 1;
    ::syscall(SYS_getppid);
    dispatch_selector = 0;
    ::prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
    return dispatched ? 0 : 1;
  });
  Probe probe{.name = "dispatch", .ok = child.succeeded(), .needed = false, .meaning = {}, .advice = {}};
  probe.meaning =
      probe.ok ? "Syscall User Dispatch works: system calls can be recorded without leaving the process"
               : "Syscall User Dispatch does not work: every system call is recorded by ptrace stops, which is slower";
  if (!probe.ok)
    probe.advice = "needs Linux 5.11 or later, and a sandbox that passes prctl(PR_SET_SYSCALL_USER_DISPATCH)";
  return probe;
}

Probe probe_layout() {
  ProbeChild child([] {
    constexpr unsigned long kAsk = 0xffffffff;  // personality(2): do not change
    const int before = ::personality(kAsk);
    if (before == -1 || ::personality(static_cast<unsigned long>(before) | ADDR_NO_RANDOMIZE) == -1) return 1;
    return (::personality(kAsk) & ADDR_NO_RANDOMIZE) != 0 ? 0 : 1;
  });
  Probe probe{.name = "layout", .ok = child.succeeded(), .needed = false, .meaning = {}, .advice = {}};
  probe.meaning =
      probe.ok
          ? "address randomisation can be switched off: two recordings of a program have the same addresses"
          : "address randomisation cannot be switched off: addresses differ between recordings (each still replays)";
  if (!probe.ok)
    probe.advice = "let the sandbox pass personality(ADDR_NO_RANDOMIZE) (docker: --security-opt seccomp=unconfined)";
  return probe;
}

}  // namespace

std::vector<Probe> probe_cpu() { return {probe_tsc(), probe_cpuid(), probe_dispatch(), probe_layout()}; }

}  // namespace tmrec::cli
