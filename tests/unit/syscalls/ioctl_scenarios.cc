// ioctls: terminals, files, sockets, namespaces; by row and by size encoding.
#include <asm/termbits.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/random.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "probe.h"

namespace tmrec::syscalls::test {

namespace {

void terminals(Probe& p) {
  const int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  if (master < 0) return;  // no pseudo-terminals here
  const auto get = [&](unsigned long request, std::size_t room) {
    return p.call(SYS_ioctl, master, request, p.buffer(room));
  };
  CHECK(get(TCGETS, 60) == 0);
  CHECK(p.captured().total() == 36);
  CHECK(get(TCGETS2, 60) == 0);
  CHECK(get(TCGETA, 60) == 0);
  CHECK(get(TIOCGWINSZ, 16) == 0);
  CHECK(get(TIOCGPTN, 8) == 0);
  CHECK(get(TIOCGPTLCK, 8) == 0);
  CHECK(get(TIOCGPKT, 8) == 0);
  CHECK(get(TIOCGEXCL, 8) == 0);
  CHECK(get(FIONREAD, 8) == 0);
  CHECK(get(TIOCOUTQ, 8) == 0);
  CHECK(get(TIOCGETD, 8) == 0);
  CHECK(get(TIOCGPGRP, 8) <= 0);
  CHECK(get(TIOCGDEV, 8) == 0);
  int* unlocked = p.put<int>(0);
  CHECK(p.call(SYS_ioctl, master, TIOCSPTLCK, unlocked) == 0);
  close(master);
}

void files(Probe& p) {
  char name[] = "/tmp/tmrec-ioctl-XXXXXX";
  const int fd = mkstemp(name);
  REQUIRE(fd >= 0);
  CHECK(write(fd, name, sizeof name) > 0);
  fsync(fd);
  const auto get = [&](unsigned long request, std::size_t room) {
    return p.call(SYS_ioctl, fd, request, p.buffer(room));
  };
  CHECK(get(FS_IOC_GETFLAGS, 16) <= 0);
  CHECK(get(FS_IOC_GETVERSION, 16) <= 0);
  CHECK(get(FS_IOC_FSGETXATTR, 64) <= 0);
  CHECK(get(FIGETBSZ, 16) <= 0);
  CHECK(get(FIOQSIZE, 16) <= 0);
  CHECK(get(FIONREAD, 16) == 0);
  CHECK(get(0x80111500 /* FS_IOC_GETFSUUID */, 32) <= 0);
  auto* map = static_cast<fiemap*>(p.buffer(sizeof(fiemap) + 4 * sizeof(fiemap_extent)));
  *map = fiemap{0, ~0ull, 0, 0, 4, 0};
  CHECK(p.call(SYS_ioctl, fd, FS_IOC_FIEMAP, map) <= 0);
  unlink(name);
  close(fd);
  const int random = open("/dev/urandom", O_RDONLY);
  CHECK(p.call(SYS_ioctl, random, RNDGETENTCNT, p.buffer(8)) == 0);
  close(random);
}

void sockets(Probe& p) {
  const int s = socket(AF_INET, SOCK_DGRAM, 0);
  REQUIRE(s >= 0);
  ifreq lo{};
  std::memcpy(lo.ifr_name, "lo", 3);
  for (const unsigned long request :
       {SIOCGIFINDEX, SIOCGIFFLAGS, SIOCGIFMTU, SIOCGIFADDR, SIOCGIFHWADDR, SIOCGIFTXQLEN, SIOCGIFNETMASK})
    CHECK(p.call(SYS_ioctl, s, request, p.put(lo)) <= 0);
  ifreq by_index{};
  by_index.ifr_ifindex = 1;
  CHECK(p.call(SYS_ioctl, s, SIOCGIFNAME, p.put(by_index)) <= 0);
  ifconf* all = p.make<ifconf>();
  all->ifc_len = 400;
  all->ifc_buf = static_cast<char*>(p.buffer(400));
  CHECK(p.call(SYS_ioctl, s, SIOCGIFCONF, all) == 0);
  ifreq* tool = p.put(lo);
  auto* driver = static_cast<std::uint32_t*>(p.buffer(400));
  driver[0] = 3;  // ETHTOOL_GDRVINFO
  tool->ifr_data = reinterpret_cast<char*>(driver);
  CHECK(p.call(SYS_ioctl, s, SIOCETHTOOL, tool) <= 0);
  CHECK(p.call(SYS_ioctl, s, SIOCOUTQ, p.buffer(8)) == 0);
  CHECK(p.call(SYS_ioctl, s, 0x8904 /* SIOCGPGRP */, p.buffer(8)) == 0);
  CHECK(p.call(SYS_ioctl, s, FIONBIO, p.put<int>(1)) == 0);
  close(s);
}

void others(Probe& p) {
  const int ns = open("/proc/self/ns/user", O_RDONLY);
  if (ns >= 0) {
    CHECK(p.call(SYS_ioctl, ns, 0xb704 /* NS_GET_OWNER_UID */, p.buffer(8)) <= 0);
    close(ns);
  }
  const int maps = open("/proc/self/maps", O_RDONLY);
  REQUIRE(maps >= 0);
  struct Query {
    std::uint64_t size, flags, addr, start, end, vma_flags, page_size, offset, inode;
    std::uint32_t major, minor, name_size, build_id_size;
    std::uint64_t name, build_id;
  };
  static_assert(sizeof(Query) == 104);
  Query q{};
  q.size = sizeof q;
  q.addr = reinterpret_cast<std::uint64_t>(&others);
  q.name_size = 300;
  q.name = reinterpret_cast<std::uint64_t>(p.buffer(300));
  q.build_id_size = 40;
  q.build_id = reinterpret_cast<std::uint64_t>(p.buffer(40));
  CHECK(p.call(SYS_ioctl, maps, 0xc0686611 /* PROCMAP_QUERY */, p.put(q)) <= 0);
  close(maps);
  const int pagemap = open("/proc/self/pagemap", O_RDONLY);
  REQUIRE(pagemap >= 0);
  struct Scan {
    std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, anyof, returned;
  };
  const auto here = reinterpret_cast<std::uint64_t>(p.buffer(1)) & ~4095ull;
  Scan scan{sizeof(Scan), 0,   here, here + 8192, 0, reinterpret_cast<std::uint64_t>(p.buffer(96)), 4, 0, 0, 0,
            0x7f,         0x7f};
  CHECK(p.call(SYS_ioctl, pagemap, 0xc0606610 /* PAGEMAP_SCAN */, p.put(scan)) < 5);
  close(pagemap);
}

constexpr Scenario kScenarios[] = {
    {"terminals", terminals}, {"files", files}, {"sockets", sockets}, {"others", others}};

}  // namespace

std::span<const Scenario> ioctl_scenarios() { return kScenarios; }

}  // namespace tmrec::syscalls::test
