// /proc/self/status: ids agree with the system calls, and no tracer is shown.
#include "guest.h"

int main(void) {
  FILE* status = fopen("/proc/self/status", "r");
  CHECK(status != NULL);
  char line[300];
  int seen = 0;
  while (fgets(line, sizeof line, status)) {
    int value;
    if (sscanf(line, "Pid: %d", &value) == 1) CHECK(value == getpid()), seen++;
    if (sscanf(line, "PPid: %d", &value) == 1) CHECK(value == getppid()), seen++;
    if (sscanf(line, "Uid: %d", &value) == 1) CHECK(value == (int)getuid()), seen++;
    if (sscanf(line, "Threads: %d", &value) == 1) CHECK(value == 1), seen++;
    if (sscanf(line, "TracerPid: %d", &value) == 1) printf("= tracer %d\n", value), seen++;
    if (strncmp(line, "Cpus_allowed_list", 17) == 0) printf("= %s", line);
    if (strncmp(line, "VmRSS", 5) == 0 || strncmp(line, "voluntary", 9) == 0) printf("%s", line);
  }
  fclose(status);
  CHECK(seen == 5);
  return success();
}
