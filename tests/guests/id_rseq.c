// rseq: registered by the C library or not, the program's own registration gets an ordinary answer.
#include "guest.h"

struct __attribute__((aligned(32))) area {
  uint32_t cpu_id_start, cpu_id;
  uint64_t rseq_cs;
  uint32_t flags, node_id, mm_cid, padding;
};
static struct area area;

int main(void) {
  long result = syscall(334 /* rseq */, &area, sizeof area, 0, 0x53053053);
  CHECK(result == 0 || errno == ENOSYS || errno == EBUSY || errno == EINVAL || errno == EPERM);
  printf("rseq %ld %s\n", result, result ? strerrorname_np(errno) : "");
  if (result == 0) {
    sleep_ms(1);
    printf("cpu %u\n", area.cpu_id);
    SYS(syscall(334, &area, sizeof area, 1, 0x53053053));
  }
  return success();
}
