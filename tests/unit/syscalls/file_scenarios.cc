// Calls on files, directories and their attributes.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "probe.h"

namespace tmrec::syscalls::test {

namespace {

// A directory with one file of 10,000 bytes and a symbolic link to it.
struct Folder {
  std::string dir, file, link;
  int fd = -1;

  Folder() {
    char name[] = "/tmp/tmrec-syscalls-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    dir = name;
    file = dir + "/file";
    link = dir + "/link";
    fd = open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    REQUIRE(fd >= 0);
    const std::string content(10000, 'x');
    REQUIRE(write(fd, content.data(), content.size()) == 10000);
    REQUIRE(symlink("file", link.c_str()) == 0);
    REQUIRE(lseek(fd, 0, SEEK_SET) == 0);
  }
  ~Folder() {
    close(fd);
    std::filesystem::remove_all(dir);
  }
};

void stat_family(Probe& p) {
  Folder f;
  CHECK(p.call(SYS_stat, p.text(f.file.c_str()), p.buffer(200)) == 0);
  CHECK(p.captured().total() == 144);
  CHECK(p.call(SYS_lstat, p.text(f.link.c_str()), p.buffer(200)) == 0);
  CHECK(p.call(SYS_fstat, f.fd, p.buffer(200)) == 0);
  CHECK(p.call(SYS_newfstatat, AT_FDCWD, p.text(f.file.c_str()), p.buffer(200), 0) == 0);
  CHECK(p.call(SYS_statx, AT_FDCWD, p.text(f.file.c_str()), 0, 0xfff, p.buffer(300)) == 0);
  CHECK(p.call(SYS_statfs, p.text("/tmp"), p.buffer(200)) == 0);
  CHECK(p.call(SYS_fstatfs, f.fd, p.buffer(200)) == 0);
  CHECK(p.call(SYS_stat, p.text("/nonexistent"), p.buffer(200)) == -ENOENT);
  CHECK(p.captured().total() == 0);
  struct stat st;
  REQUIRE(stat("/", &st) == 0);
  if (p.call(SYS_ustat, st.st_dev, p.buffer(64)) == 0) CHECK(p.changed() > 0);
}

void reads(Probe& p) {
  Folder f;
  CHECK(p.call(SYS_read, f.fd, p.buffer(100), 100) == 100);
  CHECK(p.captured().total() == 100);
  CHECK(p.call(SYS_pread64, f.fd, p.buffer(600), 600, 9900) == 100);
  CHECK(p.captured().total() == 100);
  iovec* v = static_cast<iovec*>(p.buffer(3 * sizeof(iovec)));
  v[0] = {p.buffer(50), 50};
  v[1] = {p.buffer(1), 0};
  v[2] = {p.buffer(500), 500};
  CHECK(p.call(SYS_preadv, f.fd, v, 3, 9900, 0) == 100);
  CHECK(p.captured().total() == 100);
  CHECK(p.call(SYS_readv, f.fd, v, 3) == 550);
  v[0].iov_base = p.buffer(50);
  CHECK(p.call(SYS_preadv2, f.fd, v, 3, 0, 0, 0) == 550);
  CHECK(p.call(SYS_read, f.fd, p.buffer(10), 0) == 0);
  CHECK(p.captured().total() == 0);
}

// A direct read fills whole blocks past the end of the file, and returns less.
void direct_reads(Probe& p) {
  Folder f;
  const int fd = open(f.file.c_str(), O_RDONLY | O_DIRECT);
  if (fd < 0) return;  // a file system without direct I/O
  p.use_direct_io();
  const auto aligned = [&] {
    return reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(p.buffer(3 * 8192)) + 4095) &
                                   ~std::uintptr_t{4095});
  };
  CHECK(p.call(SYS_pread64, fd, aligned(), 16384, 8192) == 10000 - 8192);
  iovec* v = p.put(iovec{aligned(), 16384});
  CHECK(p.call(SYS_preadv, fd, v, 1, 8192, 0) == 10000 - 8192);
  close(fd);
}

void directories(Probe& p) {
  Folder f;
  const int dir = open(f.dir.c_str(), O_RDONLY | O_DIRECTORY);
  REQUIRE(dir >= 0);
  const std::int64_t n = p.call(SYS_getdents64, dir, p.buffer(1000), 1000);
  CHECK(n > 0);
  CHECK(p.captured().total() == static_cast<std::uint64_t>(n));
  CHECK(p.call(SYS_getdents64, dir, p.buffer(1000), 1000) == 0);
  REQUIRE(lseek(dir, 0, SEEK_SET) == 0);
  CHECK(p.call(SYS_getdents, dir, p.buffer(1000), 1000) > 0);
  close(dir);
  CHECK(p.call(SYS_getcwd, p.buffer(4096), 4096) > 0);
  CHECK(p.call(SYS_getcwd, p.buffer(4096), 1) == -ERANGE);
  CHECK(p.call(SYS_readlink, p.text(f.link.c_str()), p.buffer(100), 100) == 4);
  CHECK(p.captured().total() == 4);
  CHECK(p.call(SYS_readlinkat, AT_FDCWD, p.text(f.link.c_str()), p.buffer(100), 2) == 2);
}

void attributes(Probe& p) {
  Folder f;
  if (fsetxattr(f.fd, "user.one", "value", 5, 0) != 0) return;  // the file system keeps no attributes
  char* path = p.text(f.file.c_str());
  char* name = p.text("user.one");
  CHECK(p.call(SYS_getxattr, path, name, p.buffer(100), 100) == 5);
  CHECK(p.captured().total() == 5);
  CHECK(p.call(SYS_getxattr, path, name, nullptr, 0) == 5);
  CHECK(p.call(SYS_lgetxattr, path, name, p.buffer(100), 100) == 5);
  CHECK(p.call(SYS_fgetxattr, f.fd, name, p.buffer(100), 100) == 5);
  CHECK(p.call(SYS_listxattr, path, p.buffer(1000), 1000) > 0);
  CHECK(p.call(SYS_llistxattr, path, p.buffer(1000), 1000) > 0);
  CHECK(p.call(SYS_flistxattr, f.fd, p.buffer(1000), 1000) > 0);
  CHECK(p.call(SYS_getxattr, path, name, p.buffer(100), 2) == -ERANGE);
  struct Args {
    std::uint64_t value;
    std::uint32_t size, flags;
  };
  Args* args = p.put(Args{reinterpret_cast<std::uint64_t>(p.buffer(100)), 100, 0});
  const std::int64_t at = p.call(number::kGetxattrat, AT_FDCWD, path, 0, name, args, sizeof(Args));
  CHECK((at == 5 || at == -ENOSYS));
  const std::int64_t listed = p.call(number::kListxattrat, AT_FDCWD, path, 0, p.buffer(1000), 1000);
  CHECK((listed > 0 || listed == -ENOSYS));
}

void file_attributes(Probe& p) {
  Folder f;
  const std::int64_t got = p.call(number::kFileGetattr, AT_FDCWD, p.text(f.file.c_str()), p.buffer(100), 24, 0);
  CHECK((got == 0 || got == -ENOSYS || got == -EOPNOTSUPP));
}

void handles(Probe& p) {
  Folder f;
  auto* handle = static_cast<std::uint32_t*>(p.buffer(8 + 128));
  handle[0] = 0;
  CHECK(p.call(SYS_name_to_handle_at, AT_FDCWD, p.text(f.file.c_str()), handle, p.buffer(8), 0) == -EOVERFLOW);
  handle[0] = 128;
  CHECK(p.call(SYS_name_to_handle_at, AT_FDCWD, p.text(f.file.c_str()), handle, p.buffer(8), 0) == 0);
}

void copies(Probe& p) {
  Folder f;
  const int other = open((f.dir + "/other").c_str(), O_RDWR | O_CREAT, 0600);
  REQUIRE(other >= 0);
  CHECK(p.call(SYS_sendfile, other, f.fd, p.put<std::int64_t>(10), 100) == 100);
  CHECK(p.call(SYS_copy_file_range, f.fd, p.put<std::int64_t>(0), other, p.put<std::int64_t>(5), 100, 0) == 100);
  int pipes[2];
  REQUIRE(pipe(pipes) == 0);
  CHECK(p.call(SYS_splice, f.fd, p.put<std::int64_t>(1), pipes[1], nullptr, 100, 0) == 100);
  CHECK(p.call(SYS_splice, pipes[0], nullptr, other, p.put<std::int64_t>(1), 50, 0) == 50);
  iovec* v = p.put(iovec{p.buffer(100), 100});
  CHECK(p.call(SYS_vmsplice, pipes[0], v, 1, 0) == 50);
  close(pipes[0]);
  close(pipes[1]);
  close(other);
}

void locks(Probe& p) {
  Folder f;
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  auto* at = static_cast<struct flock*>(p.buffer(32));
  std::memcpy(at, &lock, sizeof lock);
  CHECK(p.call(SYS_fcntl, f.fd, F_GETLK, at) == 0);
  CHECK(p.call(SYS_fcntl, f.fd, F_OFD_GETLK, p.put(lock)) == 0);
  CHECK(p.call(SYS_fcntl, f.fd, F_GETOWN_EX, p.buffer(8)) == 0);
  CHECK(p.call(SYS_fcntl, f.fd, 1035 /* F_GET_RW_HINT */, p.buffer(8)) == 0);
  CHECK(p.call(SYS_fcntl, f.fd, 17 /* F_GETOWNER_UIDS */, p.buffer(8)) <= 0);
  CHECK(p.call(SYS_fcntl, f.fd, F_GETFL) > 0);
}

void mount_queries(Probe& p) {
  struct statx info;
  REQUIRE(statx(AT_FDCWD, "/", 0, 0x4000 /* STATX_MNT_ID_UNIQUE */, &info) == 0);
  struct Request {
    std::uint32_t size, spare;
    std::uint64_t mnt_id, param;
  };
  std::uint64_t id = 0;
  std::memcpy(&id, reinterpret_cast<const char*>(&info) + 0x90, sizeof id);
  Request* one = p.put(Request{24, 0, id, 0x3f});
  const std::int64_t stat_result = p.call(number::kStatmount, one, p.buffer(4096), 4096, 0);
  CHECK((stat_result == 0 || stat_result == -ENOENT || stat_result == -ENOSYS || stat_result == -EPERM));
  CHECK(p.call(number::kStatmount, one, p.buffer(100), 30, 0) < 0);
  Request* all = p.put(Request{24, 0, ~0ull, 0});
  const std::int64_t list_result = p.call(number::kListmount, all, p.buffer(80), 10, 0);
  CHECK((list_result >= 0 || list_result == -ENOSYS));
  CHECK(p.call(SYS_sysfs, 2, 0, p.buffer(100)) <= 0);
}

void cache_state(Probe& p) {
  Folder f;
  const std::int64_t got = p.call(number::kCachestat, f.fd, p.put(std::array<std::uint64_t, 2>{0, 0}), p.buffer(64), 0);
  CHECK((got == 0 || got == -ENOSYS));
}

constexpr Scenario kScenarios[] = {
    {"stat", stat_family},
    {"read", reads},
    {"direct reads", direct_reads},
    {"directories", directories},
    {"attributes", attributes},
    {"file attributes", file_attributes},
    {"handles", handles},
    {"copies", copies},
    {"locks", locks},
    {"mounts", mount_queries},
    {"cachestat", cache_state},
};

}  // namespace

std::span<const Scenario> file_scenarios() { return kScenarios; }

}  // namespace tmrec::syscalls::test
