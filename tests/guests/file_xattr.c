// Extended attributes, where the file system has them.
#include "guest.h"
#include <sys/xattr.h>

int main(void) {
  enter_scratch();
  int fd = make_file("f", "x");
  if (setxattr("f", "user.colour", "green", 5, 0) != 0) {
    CHECK(errno == ENOTSUP || errno == EPERM);
    printf("no user attributes here: errno %d\n", errno);
    return success();
  }
  SYS(fsetxattr(fd, "user.size", "large-value", 11, XATTR_CREATE));
  char value[32] = "", names[256] = "";
  CHECK(getxattr("f", "user.colour", value, sizeof value) == 5 && strcmp(value, "green") == 0);
  CHECK(fgetxattr(fd, "user.size", NULL, 0) == 11);
  FAILS(getxattr("f", "user.size", value, 3), ERANGE);
  FAILS(getxattr("f", "user.none", value, 3), ENODATA);
  ssize_t size = SYS(flistxattr(fd, names, sizeof names));
  for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) printf("has %s\n", names + at);
  SYS(removexattr("f", "user.colour"));
  FAILS(getxattr("f", "user.colour", value, sizeof value), ENODATA);
  return success();
}
