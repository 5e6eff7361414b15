// /proc/self: stat, exe, cmdline, comm, fd, auxv, environ, limits, io.
// args: first second
#include "guest.h"
#include <dirent.h>
#include <elf.h>
#include <sys/auxv.h>

static ssize_t slurp(const char* path, char* buffer, size_t size) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) return -1;
  size_t done = 0;
  for (ssize_t n; done < size && (n = read(fd, buffer + done, size - done)) > 0;) done += (size_t)n;
  close(fd);
  return (ssize_t)done;
}

int main(int argc, char** argv) {
  static char buffer[65536];
  CHECK(argc == 3);
  CHECK(slurp("/proc/self/stat", buffer, sizeof buffer - 1) > 0 && atoi(buffer) == getpid());
  ssize_t size = slurp("/proc/self/cmdline", buffer, sizeof buffer);
  CHECK(size > 0 && strcmp(buffer, argv[0]) == 0 && strcmp(buffer + size - 7, "second") == 0);
  CHECK(slurp("/proc/self/comm", buffer, sizeof buffer) > 0 && strncmp(buffer, "file_proc_self", 14) == 0);
  size = slurp("/proc/self/auxv", buffer, sizeof buffer);
  CHECK(size > 0 && size % (ssize_t)sizeof(Elf64_auxv_t) == 0);
  for (Elf64_auxv_t* a = (Elf64_auxv_t*)buffer; a->a_type != AT_NULL; a++)
    if (a->a_type == AT_RANDOM) CHECK(a->a_un.a_val == getauxval(AT_RANDOM));
  CHECK(slurp("/proc/self/environ", buffer, sizeof buffer) > 0);
  CHECK(slurp("/proc/self/limits", buffer, sizeof buffer) > 0);
  CHECK(slurp("/proc/self/io", buffer, sizeof buffer) != 0);
  char path[4096] = "";
  SYS(readlink("/proc/self/exe", path, sizeof path - 1));
  CHECK(strstr(path, "file_proc_self"));
  int fd = (int)SYS(open("/dev/null", O_RDONLY));
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  memset(path, 0, sizeof path);
  SYS(readlink(link, path, sizeof path - 1));
  CHECK(strcmp(path, "/dev/null") == 0);
  DIR* directory = opendir("/proc/self/fd");
  int descriptors = 0;
  while (readdir(directory)) descriptors++;
  closedir(directory);
  SYS(readlink("/proc/self", path, sizeof path));
  CHECK(atoi(path) == getpid());
  printf("= %d descriptors\n", descriptors - 2);
  printf("pid %d fd %d\n", getpid(), fd);
  return success();
}
