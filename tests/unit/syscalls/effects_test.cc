#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <initializer_list>
#include <string>

#include "local_memory.h"
#include "syscalls/capture.h"
#include "syscalls/effects.h"

using namespace tmrec::syscalls;

namespace {

using Kind = FileEffect::Kind;
using Where = FileEffect::Where;

template <class T>
std::uint64_t address(const T* at) {
  return reinterpret_cast<std::uint64_t>(at);
}

Call make(std::uint32_t nr, std::initializer_list<std::uint64_t> args) {
  Call call{.nr = nr, .args = {}};
  std::copy(args.begin(), args.end(), call.args);
  return call;
}

FileEffect effect(std::uint32_t nr, std::initializer_list<std::uint64_t> args, std::int64_t ret) {
  test::LocalMemory memory;
  return file_effect(make(nr, args), ret, memory);
}

std::string data(std::uint32_t nr, std::initializer_list<std::uint64_t> args, std::int64_t ret) {
  test::LocalMemory memory;
  test::RangeSink sink;
  written_data(make(nr, args), ret, memory, sink);
  std::string text;
  for (const test::Range& r : sink.outputs) text.append(reinterpret_cast<const char*>(r.addr), r.len);
  return text;
}

}  // namespace

TEST_CASE("descriptors that data goes to") {
  CHECK(written_fd(make(SYS_write, {1, 0, 0})) == 1);
  CHECK(written_fd(make(SYS_sendfile, {4, 5, 0, 0})) == 4);
  CHECK(written_fd(make(SYS_splice, {3, 0, 7, 0, 0, 0})) == 7);
  CHECK(written_fd(make(SYS_tee, {3, 8, 0, 0})) == 8);
  CHECK(written_fd(make(SYS_copy_file_range, {3, 0, 9, 0, 0, 0})) == 9);
  CHECK(written_fd(make(SYS_read, {3, 0, 0})) == -1);
  CHECK(data_in_memory(make(SYS_write, {1, 0, 0})));
  CHECK_FALSE(data_in_memory(make(SYS_sendfile, {1, 2, 0, 0})));
  CHECK_FALSE(data_in_memory(make(SYS_read, {1, 2, 0, 0})));
}

TEST_CASE("bytes that were written") {
  char one[] = "hello ", two[] = "world";
  iovec v[] = {{one, 6}, {two, 5}};
  CHECK(data(SYS_write, {1, address(one), 6}, 5) == "hello");
  CHECK(data(SYS_write, {1, address(one), 6}, -11).empty());
  CHECK(data(SYS_writev, {1, address(v), 2}, 11) == "hello world");
  CHECK(data(SYS_pwritev2, {1, address(v), 2, 0, 0, 0}, 8) == "hello wo");
  msghdr h{nullptr, 0, v, 2, nullptr, 0, 0};
  CHECK(data(SYS_sendmsg, {1, address(&h), 0}, 7) == "hello w");
  mmsghdr many[] = {{h, 11}, {h, 5}, {h, 11}};
  CHECK(data(SYS_sendmmsg, {1, address(many), 3, 0}, 2) == "hello worldhello");
}

TEST_CASE("writes say where") {
  CHECK(effect(SYS_write, {5, 0, 100}, 40).where == Where::Position);
  CHECK(effect(SYS_write, {5, 0, 100}, 40).length == 40);
  CHECK(effect(SYS_write, {5, 0, 100}, 0).kind == Kind::None);
  CHECK(effect(SYS_write, {5, 0, 100}, -28).kind == Kind::None);
  const FileEffect p = effect(SYS_pwrite64, {5, 0, 100, 4096}, 100);
  CHECK(p.kind == Kind::Write);
  CHECK(p.where == Where::Offset);
  CHECK(p.fd == 5);
  CHECK(p.offset == 4096);
  CHECK(effect(SYS_pwritev2, {5, 0, 1, ~0ull, ~0ull, 0}, 9).where == Where::Position);
  CHECK(effect(SYS_pwritev2, {5, 0, 1, 0, 0, 0x10}, 9).where == Where::End);
  const std::int64_t moved = 300;  // the kernel has advanced it by what it copied
  const FileEffect c = effect(SYS_copy_file_range, {3, 0, 6, address(&moved), 100, 0}, 100);
  CHECK(c.fd == 6);
  CHECK(c.offset == 200);
  CHECK(effect(SYS_splice, {3, 0, 6, 0, 100, 0}, 100).where == Where::Position);
  CHECK(effect(SYS_sendfile, {6, 3, 0, 100}, 100).fd == 6);
}

TEST_CASE("sizes and holes") {
  const char path[] = "/tmp/x";
  CHECK(effect(SYS_truncate, {address(path), 10}, 0).where == Where::Path);
  CHECK(effect(SYS_truncate, {address(path), 10}, 0).path == address(path));
  CHECK(effect(SYS_ftruncate, {5, 10}, 0).kind == Kind::Truncate);
  CHECK(effect(SYS_ftruncate, {5, 10}, 0).length == 10);
  CHECK(effect(SYS_openat, {0, address(path), O_WRONLY | O_TRUNC, 0}, 7).fd == 7);
  CHECK(effect(SYS_openat, {0, address(path), O_WRONLY | O_TRUNC, 0}, 7).kind == Kind::Truncate);
  CHECK(effect(SYS_openat, {0, address(path), O_WRONLY, 0}, 7).kind == Kind::None);
  CHECK(effect(SYS_creat, {address(path), 0600}, 7).kind == Kind::Truncate);
  const std::uint64_t how[] = {O_RDWR | O_TRUNC, 0, 0};
  CHECK(effect(SYS_openat2, {0, address(path), address(how), 24}, 7).kind == Kind::Truncate);
  CHECK(effect(SYS_fallocate, {5, 0, 0, 100}, 0).kind == Kind::Allocate);
  CHECK(effect(SYS_fallocate, {5, FALLOC_FL_KEEP_SIZE, 0, 100}, 0).kind == Kind::None);
  CHECK(effect(SYS_fallocate, {5, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8, 100}, 0).kind == Kind::Write);
  CHECK(effect(SYS_fallocate, {5, FALLOC_FL_COLLAPSE_RANGE, 0, 4096}, 0).length == FileEffect::kToEnd);
  CHECK(effect(SYS_ioctl, {5, 0x40049409, 6}, 0).length == FileEffect::kToEnd);
  const std::uint64_t range[] = {6, 0, 4096, 8192};
  CHECK(effect(SYS_ioctl, {5, 0x4020940d, address(range)}, 0).offset == 8192);
  CHECK(effect(SYS_ioctl, {5, 0x4020940d, address(range)}, 0).length == 4096);
  CHECK(effect(SYS_ioctl, {5, 0x5401, 0}, 0).kind == Kind::None);
}

TEST_CASE("direct input and output is seen") {
  test::LocalMemory memory;
  CHECK(opens_direct(make(SYS_openat, {0, 0, O_RDONLY | O_DIRECT, 0}), memory));
  CHECK_FALSE(opens_direct(make(SYS_openat, {0, 0, O_RDONLY, 0}), memory));
  CHECK(opens_direct(make(SYS_fcntl, {3, F_SETFL, O_DIRECT}), memory));
  char buffer[1000];
  EntryNotes notes;
  test::RangeSink some, all;
  const Call read = make(SYS_read, {3, address(buffer), 1000});
  capture_outputs(read, notes, 10, memory, some);
  notes.whole_buffers = true;
  capture_outputs(read, notes, 10, memory, all);
  CHECK(some.total() == 10);
  CHECK(all.total() == 1000);
}
