// A program finds its own file in /proc/self/maps, read in pieces of any size, and maps a part of its code once more.
#include "guest.h"

__attribute__((noinline)) static unsigned long mixed(unsigned long n) {
  unsigned long value = n;
  while (n-- > 0) value = value * 31 + (n ^ value >> 7);
  return value;
}

static char* contents(const char* name, size_t piece) {
  static char text[1 << 18];
  size_t length = 0;
  int fd = (int)SYS(open(name, O_RDONLY));
  for (;;) {
    long n = length % 3 == 0 ? SYS(read(fd, text + length, piece)) : SYS(pread(fd, text + length, piece, (off_t)length));
    if (n == 0) break;
    if (length % 3 != 0) SYS(lseek(fd, n, SEEK_CUR));
    length += (size_t)n;
    CHECK(length + piece < sizeof text);
  }
  close(fd);
  text[length] = 0;
  return strdup(text);
}

struct piece {
  uintptr_t start, end, offset;
  unsigned long inode;
  char access[5], path[4096];
};

static struct piece find(const char* text, uintptr_t address) {
  struct piece found;
  for (const char* line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
    found.path[0] = 0;
    if (sscanf(line, "%lx-%lx %4s %lx %*x:%*x %lu%*[ ]%4095[^\n]", &found.start, &found.end, found.access, &found.offset, &found.inode,
               found.path) >= 5 &&
        found.start <= address && address < found.end) {
      return found;
    }
  }
  CHECK(!"mapped nowhere");
  return found;
}

static void check_own(const char* text, const struct stat* own, const char* path) {
  struct piece code = find(text, (uintptr_t)mixed);
  CHECK(strcmp(code.access, "r-xp") == 0);
  CHECK(code.inode == own->st_ino && strcmp(code.path, path) == 0);
}

static unsigned long mapped_again(struct piece code) {
  int fd = (int)SYS(open(code.path, O_RDONLY));
  size_t size = code.end - code.start;
  char* copy = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, (off_t)code.offset);
  CHECK(copy != MAP_FAILED);
  close(fd);
  unsigned long (*function)(unsigned long) = (void*)(copy + ((uintptr_t)mixed - code.start));
  unsigned long value = function(100000);
  SYS(munmap(copy, size));
  return value;
}

int main(void) {
  char path[4096];
  struct stat own;
  path[SYS(readlink("/proc/self/exe", path, sizeof path - 1))] = 0;
  SYS(stat(path, &own));
  const size_t pieces[] = {60000, 4096, 1000, 77};
  for (int i = 0; i < 4; i++) {
    char* text = contents("/proc/self/maps", pieces[i]);
    check_own(text, &own, path);
    free(text);
  }
  check_own(contents("/proc/self/smaps", 60000), &own, path);
  pid_t child = (pid_t)SYS(fork());
  if (child == 0) {
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/maps", getppid());
    check_own(contents(name, 5000), &own, path);
    check_own(contents("/proc/self/maps", 5000), &own, path);
    _exit(7);
  }
  CHECK(wait_exit(child) == 7);
  printf("= %lx\n", mixed(100000));
  printf("= %lx\n", mapped_again(find(contents("/proc/self/maps", 60000), (uintptr_t)mixed)));
  return success();
}
