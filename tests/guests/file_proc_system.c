// /proc files about the machine: their values change from read to read.
#include "guest.h"

int main(void) {
  const char* paths[] = {"/proc/uptime", "/proc/loadavg", "/proc/meminfo", "/proc/stat", "/proc/cpuinfo",
                         "/proc/version", "/proc/mounts", "/proc/self/mountinfo", "/proc/sys/kernel/random/uuid"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    FILE* f = fopen(paths[i], "r");
    if (!f) {
      printf("%s: errno %d\n", paths[i], errno);
      continue;
    }
    char line[1000] = "";
    CHECK(fgets(line, sizeof line, f) != NULL);
    printf("%s: %s", paths[i], line);
    uint64_t hash = 0;
    while (fgets(line, sizeof line, f)) hash = hash * 31 + digest(line, strlen(line));
    printf("  rest %016lx\n", hash);
    fclose(f);
  }
  return success();
}
