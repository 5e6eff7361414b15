// SIGBUS beyond the end of a mapped file; after growing the file the access succeeds.
#include "guest.h"

static int fd;
static volatile int buses;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  CHECK(signal == SIGBUS && info->si_code == BUS_ADRERR);
  buses++;
  if (ftruncate(fd, 8192) != 0) _exit(97);
}

int main(void) {
  enter_scratch();
  fd = make_file("data", "short");
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = handler;
  SYS(sigaction(SIGBUS, &action, NULL));
  volatile char* map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(map != MAP_FAILED && map[0] == 's' && map[100] == 0);
  map[4096] = 'x';
  CHECK(buses == 1 && map[4096] == 'x');
  char c;
  CHECK(pread(fd, &c, 1, 4096) == 1 && c == 'x');
  printf("one SIGBUS at %p\n", (void*)(map + 4096));
  return success();
}
