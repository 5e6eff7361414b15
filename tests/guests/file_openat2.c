// openat2 with resolve flags, name_to_handle_at, statmount-era calls tolerated.
#include "guest.h"
#include <linux/openat2.h>

int main(void) {
  enter_scratch();
  close(make_file("f", "x"));
  SYS(symlink("f", "s"));
  struct open_how how;
  memset(&how, 0, sizeof how);
  how.flags = O_RDONLY;
  how.resolve = RESOLVE_NO_SYMLINKS;
  long fd = syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof how);
  if (fd < 0) CHECK(errno == ENOSYS);
  else FAILS(syscall(SYS_openat2, AT_FDCWD, "s", &how, sizeof how), ELOOP);
  struct {
    struct file_handle handle;
    unsigned char bytes[MAX_HANDLE_SZ];
  } space;
  int mount = 0;
  memset(&space, 0, sizeof space);
  space.handle.handle_bytes = MAX_HANDLE_SZ;
  int result = name_to_handle_at(AT_FDCWD, "f", &space.handle, &mount, 0);
  printf("openat2 %ld handle %d size %u mount %d digest %016lx\n", fd, result, space.handle.handle_bytes, mount,
         digest(space.handle.f_handle, space.handle.handle_bytes));
  return success();
}
