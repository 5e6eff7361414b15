// Calls about files and directories, good ones and bad ones, made by the agent: results and what they write.
#include "agent_call.h"

#include <linux/fs.h>
#include <linux/stat.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

enum { kMissing = 999 };  // no such descriptor

// What is the same in each run.
struct plain_stat {
  uint64_t mode, links, size, user;
};

static void show_stat(const char* name, long result, const struct stat* status) {
  const int error = errno;
  const struct plain_stat plain = {status->st_mode, status->st_nlink,
                                   S_ISDIR(status->st_mode) ? 0 : (uint64_t)status->st_size,
                                   status->st_uid == geteuid()};
  errno = error;
  show_call(name, false, result, result == 0 ? &plain : NULL, sizeof plain);
}

static void ask_for_status(int file, int directory) {
  struct stat status;
  show_stat("stat", syscall(SYS_stat, "file", &status), &status);
  show_stat("lstat", syscall(SYS_lstat, "link", &status), &status);
  show_stat("fstat", syscall(SYS_fstat, file, &status), &status);
  show_stat("newfstatat", syscall(SYS_newfstatat, directory, "inner", &status, 0), &status);
  show_stat("newfstatat empty", syscall(SYS_newfstatat, file, "", &status, AT_EMPTY_PATH), &status);
  CALL(stat, "missing", &status);
  CALL(stat, bad_address, &status);
  CALL(stat, "file", bad_address - 8);
  CALL(lstat, "file", bad_address);
  CALL(fstat, kMissing, &status);
  CALL(fstat, file, bad_address);
  CALL(newfstatat, kMissing, "inner", &status, 0);
  struct statx more;
  long ended = syscall(SYS_statx, AT_FDCWD, "file", 0, STATX_SIZE | STATX_MODE | STATX_NLINK, &more);
  const uint64_t plain[] = {more.stx_mode, more.stx_size, more.stx_nlink};
  show_call("statx", false, ended, plain, sizeof plain);
  CALL(statx, AT_FDCWD, "file", 0, STATX_SIZE, bad_address);
  CALL(statx, AT_FDCWD, "missing", 0, STATX_SIZE, &more);
  struct statfs system;
  ended = syscall(SYS_statfs, ".", &system);
  show_call("statfs", false, ended, &system.f_type, sizeof system.f_type);
  ended = syscall(SYS_fstatfs, file, &system);
  show_call("fstatfs", false, ended, &system.f_type, sizeof system.f_type);
  CALL(statfs, ".", bad_address);
  CALL(fstatfs, kMissing, &system);
  CALL(access, "file", R_OK | W_OK);
  CALL(access, "missing", F_OK);
  CALL(access, bad_address, F_OK);
  CALL(faccessat, directory, "inner", R_OK);
  CALL(faccessat2, directory, "inner", R_OK, AT_EACCESS);
  CALL(faccessat2, kMissing, "inner", R_OK, 0);
}

static void change_names(int directory) {
  char text[64];
  CALL(mkdir, "made", 0700);
  CALL(mkdir, "made", 0700);
  CALL(mkdirat, directory, "made", 0700);
  CALL(mkdirat, kMissing, "made", 0700);
  CALL(rename, "made", "renamed");
  CALL(rename, "missing", bad_address);
  CALL(renameat, directory, "made", AT_FDCWD, "made");
  CALL(renameat2, AT_FDCWD, "made", AT_FDCWD, "renamed", RENAME_NOREPLACE);
  CALL(renameat2, AT_FDCWD, "made", AT_FDCWD, "renamed", RENAME_EXCHANGE);
  CALL(rmdir, "made");
  CALL(rmdir, "renamed");
  CALL(rmdir, "file");
  CALL(link, "file", "other");
  CALL(link, "file", "other");
  CALL(unlink, "other");
  CALL(unlink, "other");
  CALL(unlink, bad_address);
  CALL(symlink, "somewhere", "symbolic");
  CALL(symlinkat, "elsewhere", directory, "symbolic");
  WRITES(text, sizeof text, readlink, "symbolic", text, sizeof text);
  WRITES(text, sizeof text, readlink, "symbolic", text, 4);
  WRITES(text, sizeof text, readlinkat, directory, "symbolic", text, sizeof text);
  CALL(readlink, "symbolic", bad_address, 10);
  CALL(readlink, "file", text, sizeof text);
  CALL(readlink, "symbolic", text, 0);
  CALL(unlink, "symbolic");
  CALL(unlinkat, directory, "symbolic", 0);
  CALL(unlinkat, directory, "symbolic", AT_REMOVEDIR);
  CALL(mknod, "pipe", S_IFIFO | 0600, 0);
  CALL(mknodat, directory, "pipe", S_IFIFO | 0600, 0);
  CALL(unlink, "pipe");
  CALL(unlinkat, directory, "pipe", 0);
}

static void change_attributes(int file, int directory) {
  const struct timespec at[2] = {{1000, 5}, {2000, 6}};
  const struct timeval roughly[2] = {{1000, 5}, {2000, 6}};
  const int64_t seconds[2] = {100, 200};
  struct stat status;
  CALL(chmod, "file", 0640);
  CALL(fchmod, file, 0600);
  CALL(fchmodat, directory, "inner", 0644);
  CALL(chmod, "missing", 0600);
  CALL(fchmod, kMissing, 0600);
  CALL(chown, "file", -1, -1);
  CALL(lchown, "link", -1, -1);
  CALL(fchown, file, -1, -1);
  CALL(fchownat, directory, "inner", -1, -1, 0);
  CALL(fchown, kMissing, -1, -1);
  CALL(utime, "file", seconds);
  CALL(utimes, "file", roughly);
  CALL(futimesat, directory, "inner", roughly);
  CALL(utimensat, AT_FDCWD, "file", at, 0);
  CALL(utimensat, AT_FDCWD, "file", bad_address, 0);
  CALL(utimes, "missing", roughly);
  SYS(syscall(SYS_stat, "file", &status));
  show_call("times", false, 0, &status.st_mtim, sizeof status.st_mtim);
  CALL(umask, 027);
  CALL(umask, 022);
  char value[64], names[256];
  const long kept = syscall(SYS_setxattr, "file", "user.colour", "green", 5, 0);
  const bool supported = kept == 0;  // not on every file system
  if (supported) {
    CALL(fsetxattr, file, "user.taste", "sour", 4, 0);
    CALL(setxattr, "file", "user.colour", "red", 3, XATTR_CREATE);
    WRITES(value, sizeof value, getxattr, "file", "user.colour", value, sizeof value);
    WRITES(value, sizeof value, fgetxattr, file, "user.taste", value, sizeof value);
    WRITES(value, sizeof value, lgetxattr, "file", "user.none", value, sizeof value);
    CALL(getxattr, "file", "user.colour", value, 2);
    CALL(getxattr, "file", "user.colour", bad_address, 64);
    CALL(getxattr, "file", "user.colour", NULL, 0);
    VARIES(listxattr, "file", names, sizeof names);
    VARIES(flistxattr, file, names, sizeof names);
    CALL(removexattr, "file", "user.colour");
    CALL(fremovexattr, file, "user.taste");
    CALL(fremovexattr, file, "user.taste");
  }
}

static void look_into_directories(int directory) {
  char text[1024];
  for (int i = 0; i < 2; i++) {
    SYS(syscall(SYS_lseek, directory, 0, SEEK_SET));
    long sum = 0, got;
    while ((got = syscall(SYS_getdents64, directory, text, sizeof text)) > 0) {
      for (long at = 0; at < got; at += *(unsigned short*)(text + at + 16)) sum += text[at + 19] + text[at + 20];
    }
    show_call("getdents64", false, got, &sum, sizeof sum);
    SYS(syscall(SYS_lseek, directory, 0, SEEK_SET));
    VARIES(getdents, directory, text, sizeof text);
  }
  SYS(syscall(SYS_lseek, directory, 0, SEEK_SET));
  CALL(getdents64, directory, text, 8);
  CALL(getdents64, directory, bad_address, 1024);
  CALL(getdents64, kMissing, text, sizeof text);
  CALL(chdir, "inside");
  show_call("getcwd", false, syscall(SYS_getcwd, text, sizeof text) > 0, strrchr(text, '/'), 8);
  CALL(chdir, "..");
  CALL(fchdir, directory);
  CALL(chdir, "..");
  CALL(fchdir, kMissing);
  CALL(chdir, bad_address);
  CALL(chdir, "missing");
  CALL(getcwd, text, 1);
  CALL(getcwd, bad_address, 4096);
}

static void use_descriptors(int file) {
  int fd, other;
  char byte;
  OPENS(fd, open, "file", O_RDONLY | O_CLOEXEC);
  CALL(pread64, fd, &byte, 1, 0);
  CALL(lseek, fd, 3, SEEK_SET);
  CALL(lseek, fd, 2, SEEK_CUR);
  CALL(lseek, fd, 0, SEEK_END);
  CALL(lseek, fd, -1, SEEK_SET);
  CALL(lseek, kMissing, 0, SEEK_SET);
  OPENS(other, dup, fd);
  CALL(lseek, other, 1, SEEK_CUR);
  CALL(dup2, fd, other);
  CALL(dup2, kMissing, other);
  CALL(dup2, fd, fd);
  CALL(dup3, fd, other, O_CLOEXEC);
  CALL(dup3, fd, fd, 0);
  CALL(fcntl, other, F_GETFD);
  CALL(fcntl, other, F_SETFD, 0);
  CALL(fcntl, other, F_GETFD);
  CALL(fcntl, other, F_GETFL);
  CALL(fcntl, kMissing, F_GETFL);
  CALL(close, other);
  CALL(close, other);
  CALL(read, other, &byte, 1);
  OPENS(other, fcntl, fd, F_DUPFD, 50);
  CALL(close, other);
  OPENS(other, fcntl, fd, F_DUPFD_CLOEXEC, 50);
  CALL(ioctl, other, FIONCLEX);
  CALL(fcntl, other, F_GETFD);
  CALL(ioctl, other, FIOCLEX);
  CALL(fcntl, other, F_GETFD);
  int left = 0;
  SYS(syscall(SYS_lseek, other, 2, SEEK_SET));
  WRITES(&left, sizeof left, ioctl, other, FIONREAD, &left);
  CALL(ioctl, other, FIONREAD, bad_address);
  char terminal[64];
  CALL(ioctl, other, 0x5401, terminal);
  CALL(close, other);
  CALL(close, fd);
  OPENS(fd, openat, AT_FDCWD, "file", O_RDWR);
  CALL(close, fd);
  OPENS(fd, openat, AT_FDCWD, "inside", O_RDONLY | O_DIRECTORY);
  CALL(close, fd);
  OPENS(fd, open, "new", O_WRONLY | O_CREAT | O_EXCL, 0600);
  CALL(close, fd);
  OPENS(fd, open, "new", O_WRONLY | O_CREAT | O_EXCL, 0600);
  CALL(unlink, "new");
  OPENS(fd, open, "missing", O_RDONLY);
  OPENS(fd, open, bad_address, O_RDONLY);
  OPENS(fd, openat, kMissing, "file", O_RDONLY);
  OPENS(fd, open, "link", O_RDONLY | O_NOFOLLOW);
  OPENS(fd, open, "file", O_RDONLY | O_DIRECTORY);
  OPENS(fd, open, "file", O_PATH);
  CALL(read, fd, &byte, 1);
  CALL(close, fd);
  OPENS(fd, memfd_create, "name", MFD_CLOEXEC);
  CALL(write, fd, "abc", 3);
  CALL(close, fd);
  CALL(memfd_create, bad_address, 0);
  CALL(fsync, file);
  CALL(fdatasync, file);
  CALL(fsync, kMissing);
  CALL(flock, file, 2);  // LOCK_EX
  CALL(flock, file, 8);  // LOCK_UN
  CALL(flock, kMissing, 2);
  OPENS(fd, inotify_init1, IN_CLOEXEC | IN_NONBLOCK);
  CALL(inotify_add_watch, fd, "inside", IN_CREATE);
  CALL(inotify_add_watch, fd, "missing", IN_CREATE);
  CALL(inotify_add_watch, fd, bad_address, IN_CREATE);
  CALL(inotify_rm_watch, fd, 7);
  char events[256];
  CALL(read, fd, events, sizeof events);
  CALL(close, fd);
}

int main(void) {
  enter_scratch();
  SYS(mkdir("inside", 0700));
  const int file = make_file("file", "0123456789"), inner = make_file("inside/inner", "abc");
  SYS(symlink("file", "link"));
  const int directory = SYS(open("inside", O_RDONLY | O_DIRECTORY));
  CHECK(inner >= 0);
  go_over_to_agent();
  for (int round = 0; round < AGENT_ROUNDS; round++) {
    ask_for_status(file, directory);
    change_names(directory);
    change_attributes(file, directory);
    look_into_directories(directory);
    use_descriptors(file);
  }
  return success();
}
