// pause until alarm, with a one-second resolution timer replaced by a short one.
#include "guest.h"

static volatile sig_atomic_t seen;
static void handler(int signal) { seen = signal; }

int main(void) {
  signal(SIGALRM, handler);
  CHECK(alarm(50) == 0);
  useconds_t rest = ualarm(15000, 0);
  FAILS(pause(), EINTR);
  CHECK(seen == SIGALRM);
  printf("woken by %d, the earlier alarm had %u us\n", (int)seen, rest);
  return success();
}
