// Features that a kernel may lack: a program must get an ordinary answer, whichever it is.
#include "guest.h"
#include <linux/perf_event.h>

static void report(const char* name, long result) {
  printf("%s: %s\n", name, result >= 0 ? "works" : strerrorname_np(errno));
}

int main(void) {
  struct {
    unsigned words[30];
  } parameters;
  memset(&parameters, 0, sizeof parameters);
  long ring = syscall(425 /* io_uring_setup */, 4, &parameters);
  CHECK(ring >= 0 || errno == ENOSYS || errno == EPERM);
  report("io_uring_setup", ring);
  unsigned long context = 0;
  long aio = syscall(SYS_io_setup, 4, &context);
  CHECK(aio == 0 || errno == ENOSYS || errno == EAGAIN);
  report("io_setup", aio);
  long fault = syscall(SYS_userfaultfd, 1);
  CHECK(fault >= 0 || errno == ENOSYS || errno == EPERM);
  report("userfaultfd", fault);
  struct perf_event_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  report("perf_event_open", syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
  report("bpf", syscall(SYS_bpf, 0, NULL, 0));
  report("landlock", syscall(444, NULL, 0, 1));
  report("memfd_secret", syscall(447, 0));
  report("keyctl", syscall(SYS_keyctl, 0, -3, 0));
  return success();
}
