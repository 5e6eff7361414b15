// capget, capset to the same, securebits, the bounding set.
#include "guest.h"
#include <linux/capability.h>
#include <sys/prctl.h>

int main(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  SYS(syscall(SYS_capget, &header, data));
  printf("= effective %x:%x permitted %x:%x\n", data[1].effective, data[0].effective, data[1].permitted, data[0].permitted);
  SYS(syscall(SYS_capset, &header, data));
  printf("= securebits %d, chown bounded %d\n", prctl(PR_GET_SECUREBITS), prctl(PR_CAPBSET_READ, CAP_CHOWN));
  header.version = 1;
  syscall(SYS_capget, &header, NULL);
  CHECK(header.version == _LINUX_CAPABILITY_VERSION_3);
  return success();
}
