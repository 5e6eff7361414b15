// The sizes in abi.h against the kernel's own headers. Those of structures that only libc's headers declare are proved
// by the probe.
#include <asm/stat.h>
#include <asm/statfs.h>
#include <asm/termbits.h>
#include <doctest/doctest.h>
#include <linux/eventpoll.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/loop.h>
#include <linux/mqueue.h>
#include <linux/msg.h>
#include <linux/openat2.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sem.h>
#include <linux/serial.h>
#include <linux/shm.h>
#include <linux/stat.h>
#include <linux/sysinfo.h>
#include <linux/timex.h>
#include <linux/utsname.h>

#include "syscalls/abi.h"

namespace abi = tmrec::syscalls::abi;

TEST_CASE("sizes are the kernel's") {
  CHECK(abi::kStat == sizeof(struct stat));
  CHECK(abi::kStatfs == sizeof(struct statfs));
  CHECK(abi::kStatx == sizeof(struct statx));
  CHECK(abi::kOpenHow == sizeof(struct open_how));
  CHECK(abi::kTermios == sizeof(struct termios));
  CHECK(abi::kTermios2 == sizeof(struct termios2));
  CHECK(abi::kEpollEvent == sizeof(struct epoll_event));
  CHECK(abi::kFutexWaitv == sizeof(struct futex_waitv));
  CHECK(abi::kRobustListHead == sizeof(struct robust_list_head));
  CHECK(abi::kRusage == sizeof(struct rusage));
  CHECK(abi::kRlimit == sizeof(struct rlimit64));
  CHECK(abi::kSysinfo == sizeof(struct sysinfo));
  CHECK(abi::kTimex == sizeof(struct __kernel_timex));
  CHECK(abi::kUtsname == sizeof(struct new_utsname));
  CHECK(abi::kMqAttr == sizeof(struct mq_attr));
  CHECK(abi::kSemidDs == sizeof(struct semid64_ds));
  CHECK(abi::kSeminfo == sizeof(struct seminfo));
  CHECK(abi::kMsqidDs == sizeof(struct msqid64_ds));
  CHECK(abi::kMsginfo == sizeof(struct msginfo));
  CHECK(abi::kShmidDs == sizeof(struct shmid64_ds));
  CHECK(abi::kShminfo == sizeof(struct shminfo64));
  CHECK(abi::kShmInfo == sizeof(struct shm_info));
  CHECK(abi::kSembuf == sizeof(struct sembuf));
  CHECK(abi::kSerial == sizeof(struct serial_struct));
  CHECK(abi::kLoopInfo == sizeof(struct loop_info));
  CHECK(abi::kLoopInfo64 == sizeof(struct loop_info64));
  CHECK(abi::kLoopConfig == sizeof(struct loop_config));
  CHECK(sizeof(abi::CloneArgs) == sizeof(struct clone_args));
}
