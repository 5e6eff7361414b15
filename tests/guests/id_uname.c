// uname, gethostname, sysinfo, sysconf, getdomainname.
#include "guest.h"
#include <sys/sysinfo.h>
#include <sys/utsname.h>

int main(void) {
  struct utsname name;
  SYS(uname(&name));
  printf("= %s %s %s %s\n", name.sysname, name.nodename, name.release, name.machine);
  char host[256] = "", domain[256] = "";
  SYS(gethostname(host, sizeof host));
  SYS(getdomainname(domain, sizeof domain));
  CHECK(strcmp(host, name.nodename) == 0);
  struct sysinfo info;
  SYS(sysinfo(&info));
  CHECK(info.totalram > 0);
  printf("uptime %ld load %lu free %lu processes %d\n", info.uptime, info.loads[0], info.freeram, info.procs);
  printf("= %ld processors, page %ld, open files %ld\n", sysconf(_SC_NPROCESSORS_ONLN), sysconf(_SC_PAGESIZE),
         sysconf(_SC_OPEN_MAX));
  return success();
}
