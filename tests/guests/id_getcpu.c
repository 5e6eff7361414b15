// getcpu and sched_getcpu name an existing processor.
#include "guest.h"
#include <sched.h>
#include <sys/sysinfo.h>

int main(void) {
  unsigned cpu = 9999, node = 9999;
  SYS(syscall(SYS_getcpu, &cpu, &node, NULL));
  CHECK(cpu < (unsigned)get_nprocs_conf());
  int again = sched_getcpu();
  CHECK(again >= 0 && again < get_nprocs_conf());
  for (int i = 0; i < 20; i++) {
    printf("%d ", sched_getcpu());
    if (i % 5 == 0) sched_yield();
  }
  printf("\ncpu %u node %u\n", cpu, node);
  return success();
}
