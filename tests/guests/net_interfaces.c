// Interfaces through netlink (getifaddrs) and ioctl; name resolution of numbers.
#include "guest.h"
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/ioctl.h>

int main(void) {
  struct ifaddrs* list = NULL;
  if (getifaddrs(&list) == 0) {
    for (struct ifaddrs* i = list; i; i = i->ifa_next)
      printf("%s flags %x family %d\n", i->ifa_name, i->ifa_flags, i->ifa_addr ? i->ifa_addr->sa_family : -1);
    freeifaddrs(list);
  }
  int fd = (int)SYS(socket(AF_INET, SOCK_DGRAM, 0));
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strcpy(request.ifr_name, "lo");
  if (ioctl(fd, SIOCGIFINDEX, &request) == 0) printf("lo is %d\n", request.ifr_ifindex);
  if (ioctl(fd, SIOCGIFMTU, &request) == 0) printf("of %d bytes\n", request.ifr_mtu);
  char space[4096];
  struct ifconf conf = {.ifc_len = sizeof space};
  conf.ifc_buf = space;
  SYS(ioctl(fd, SIOCGIFCONF, &conf));
  printf("SIOCGIFCONF: %d bytes\n", conf.ifc_len);
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
  CHECK(getaddrinfo("127.0.0.1", "80", &hints, &found) == 0 && found->ai_family == AF_INET);
  freeaddrinfo(found);
  return success();
}
