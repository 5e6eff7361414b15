// A library with loops is loaded, used and unloaded again and again while alarms arrive.
#include <dlfcn.h>
#include "guest.h"

static volatile long alarms;
static void on_alarm(int signal) { alarms += signal == SIGALRM; }

int main(void) {
  static unsigned char data[60000];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * 7 + i / 256);
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  SYS(sigaction(SIGALRM, &action, NULL));
  struct itimerval timer = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  unsigned long expected = 0, sum = 0;
  int rounds = 0;
  for (; rounds < 10 || alarms < 20; rounds++) {
    void* library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    unsigned long (*crc)(unsigned long, const unsigned char*, unsigned);
    unsigned long (*adler)(unsigned long, const unsigned char*, unsigned);
    *(void**)&crc = dlsym(library, "crc32");
    *(void**)&adler = dlsym(library, "adler32");
    CHECK(crc && adler);
    unsigned long value = crc(0, data, sizeof data) ^ adler(1, data, sizeof data) << 32;
    if (rounds == 0) expected = value;
    CHECK(value == expected);
    sum += (unsigned long)crc;
    CHECK(dlclose(library) == 0);
  }
  SYS(setitimer(ITIMER_REAL, &never, NULL));
  printf("= %lx\n%d rounds, %ld alarms, sum %lx\n", expected, rounds, alarms, sum);
  return success();
}
