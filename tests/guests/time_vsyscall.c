// The vsyscall page, where the kernel still has it: its functions at their fixed addresses.
#include "guest.h"

int main(void) {
  FILE* maps = fopen("/proc/self/maps", "r");
  char line[300];
  bool there = false;
  while (maps && fgets(line, sizeof line, maps))
    if (strstr(line, "[vsyscall]")) there = true;
  if (maps) fclose(maps);
  if (!there) {
    puts("no vsyscall page");
    return success();
  }
  time_t (*vsyscall_time)(time_t*) = (time_t(*)(time_t*))0xffffffffff600400ul;
  time_t before = time(NULL), stored = 0, now = vsyscall_time(&stored);
  CHECK(now == stored && now >= before && now <= before + 2);
  struct timeval tv;
  int (*vsyscall_day)(struct timeval*, void*) = (int (*)(struct timeval*, void*))0xffffffffff600000ul;
  CHECK(vsyscall_day(&tv, NULL) == 0 && tv.tv_sec >= before);
  unsigned cpu = ~0u, node = ~0u;
  long (*vsyscall_cpu)(unsigned*, unsigned*, void*) = (long (*)(unsigned*, unsigned*, void*))0xffffffffff600800ul;
  CHECK(vsyscall_cpu(&cpu, &node, NULL) == 0 && cpu < 4096 && node < 1024);
  for (int i = 0; i < 3; i++) now = vsyscall_time(NULL);
  printf("vsyscall time %ld, %ld.%06ld\n", (long)now, (long)tv.tv_sec, (long)tv.tv_usec);
  return success();
}
