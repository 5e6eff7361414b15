// What the recorder does with a call.
#pragma once

#include "syscalls/ioctl.h"
#include "syscalls/net.h"
#include "syscalls/process.h"
#include "syscalls/table.h"

namespace tmrec::syscalls {

struct Decision {
  Policy policy = Policy::Record;
  int error = 0;              // Refuse: a positive errno
  const char* why = nullptr;  // reason of a policy other than Record, or a remark; static
  bool noted = false;         // recorded by a general rule, not by a row of its own: set SyscallEvent::noted
  Blocking blocking = Blocking::Never;
};

// By number and by command. Total; needs no memory.
constexpr Decision decide(const Call& call) {
  const Row& r = row(call.nr);
  Decision d{.policy = r.policy, .error = r.error, .why = r.why, .blocking = r.blocking};
  if (const Command* c = command_of(r, call)) {
    d = {.policy = c->policy, .error = c->error, .why = c->why, .blocking = c->blocking};
  } else if (r.commands && r.commands->unknown) {
    d = {.policy = Policy::Refuse, .error = r.commands->unknown, .why = "a command that tmrec does not know"};
  }
  const auto refuse = [&d](int error, const char* why) {
    d.policy = Policy::Refuse;
    d.error = error;
    d.why = why;
  };
  switch (call.nr) {
    case kIoctlNumber:
      if (request::shares_memory(call.args[1]))
        refuse(25, "the device writes memory at any time; programs fall back to software");
      else if (!command_of(r, call))
        d.noted = true, d.blocking = Blocking::MayWait, d.why = "an ioctl without a row of its own";
      break;
    case kCloneNumber:
      if (call.args[0] & clone_flag::kVfork) d.blocking = Blocking::MayWait;
      if (call.args[0] & clone_flag::kUntraced) refuse(22, "the child would escape the recording");
      break;
    case kClone3Number:
      d.blocking = Blocking::MayWait;  // its flags, CLONE_VFORK among them, are in memory
      break;
    case 9: {                                                   // mmap
      constexpr std::uint64_t kTypeMask = 0xf, kDroppable = 8;  // Linux 6.11; older kernels say the same
      if ((call.args[3] & kTypeMask) == kDroppable) refuse(22, "when such pages vanish is up to the kernel");
      break;
    }
    case 41: {  // socket
      constexpr std::uint32_t kAfXdp = 44, kEafnosupport = 97;
      if (static_cast<std::uint32_t>(call.args[0]) == kAfXdp)
        refuse(kEafnosupport, "packets arrive in shared memory at any time");
      break;
    }
    case 54:
    case 55:  // setsockopt, getsockopt
      if (option_shares_memory(call)) refuse(92, "data arrives in shared memory at any time");
      break;
    case 329: {  // pkey_mprotect
      const auto key = static_cast<std::int32_t>(call.args[3]);
      if (key != -1 && key != 0) refuse(22, "no protection key has been allocated");
      break;
    }
    default:
      break;
  }
  return d;
}

}  // namespace tmrec::syscalls
