// The sizes in abi.h of structures for which libc's declarations are the kernel's; their headers exclude the kernel's.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#include <cstddef>

#include "syscalls/abi.h"

namespace abi = tmrec::syscalls::abi;

TEST_CASE("sizes are those of libc where it has the kernel's structure") {
  CHECK(abi::kRtentry == sizeof(rtentry));
  CHECK(abi::kArpreq == sizeof(arpreq));
  CHECK(abi::kIfreq == sizeof(ifreq));
  CHECK(abi::kIfconf == sizeof(ifconf));
  CHECK(abi::kFlock == sizeof(struct flock));
  CHECK(abi::kOwnerEx == sizeof(f_owner_ex));
  CHECK(abi::kPollFd == sizeof(pollfd));
  CHECK(abi::kSiginfo == sizeof(siginfo_t));
  CHECK(abi::kSigevent == sizeof(sigevent));
  CHECK(abi::kStackT == sizeof(stack_t));
  CHECK(abi::kWinsize == sizeof(winsize));
  CHECK(abi::kMsghdr == sizeof(msghdr));
  CHECK(abi::kMmsghdr == sizeof(mmsghdr));
  CHECK(abi::kMsgControlLen == offsetof(msghdr, msg_controllen));
  CHECK(abi::kMsgFlags == offsetof(msghdr, msg_flags));
  CHECK(abi::kMmsgLen == offsetof(mmsghdr, msg_len));
  CHECK(abi::kSockaddrStorage == sizeof(sockaddr_storage));
  CHECK(abi::kTimespec == sizeof(timespec));
  CHECK(abi::kTimeval == sizeof(timeval));
  CHECK(abi::kItimerval == sizeof(itimerval));
  CHECK(abi::kItimerspec == sizeof(itimerspec));
  CHECK(abi::kTms == sizeof(tms));
}
