// /proc/self/maps and smaps show the program's own regions at the addresses it sees, and nobody else's.
#include "guest.h"

int main(void) {
  int on_stack;
  void* region = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  FILE* maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  char line[600];
  bool code = false, stack = false, heap = false, ours = false;
  free(malloc(10));
  int lines = 0;
  while (fgets(line, sizeof line, maps)) {
    uintptr_t from, to;
    char permissions[5];
    CHECK(sscanf(line, "%lx-%lx %4s", &from, &to, permissions) == 3 && from < to);
    if ((uintptr_t)main >= from && (uintptr_t)main < to) code = permissions[2] == 'x' && strstr(line, "file_proc_maps");
    if ((uintptr_t)&on_stack >= from && (uintptr_t)&on_stack < to) stack = strstr(line, "[stack]") != NULL;
    if ((uintptr_t)region >= from && (uintptr_t)region + 3 * 4096 <= to) ours = true;
    if (strstr(line, "[heap]")) heap = true;
    // Trampolines may be shown by the name of the blob they are mapped from, and nothing else of the recorder's is.
    bool trampolines = strcmp(permissions, "r-xp") == 0 && strstr(line, "/blobs");
    CHECK(strstr(line, "tmrec") == NULL || strstr(line, "file_proc_maps") || trampolines);
    lines++;
    printf("%s", line);
  }
  fclose(maps);
  CHECK(code && stack && heap && ours);
  printf("%d regions\n", lines);
  return success();
}
