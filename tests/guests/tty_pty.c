// A pseudo terminal: echo, line discipline, raw mode, both directions.
#include "guest.h"
#include <pty.h>
#include <termios.h>

int main(void) {
  int master, slave;
  char name[64], text[64] = "";
  SYS(openpty(&master, &slave, name, NULL, NULL));
  CHECK(isatty(slave) && isatty(master) && !isatty((int)SYS(open("/dev/null", O_RDONLY))));
  CHECK(write(master, "line\n", 5) == 5);
  CHECK(read(slave, text, sizeof text) == 5 && memcmp(text, "line\n", 5) == 0);
  CHECK(read(master, text, sizeof text) == 6 && memcmp(text, "line\r\n", 6) == 0);
  struct termios settings, back;
  SYS(tcgetattr(slave, &settings));
  cfmakeraw(&settings);
  SYS(tcsetattr(slave, TCSANOW, &settings));
  SYS(tcgetattr(slave, &back));
  CHECK(!(back.c_lflag & ECHO) && !(back.c_lflag & ICANON));
  CHECK(write(master, "r", 1) == 1 && read(slave, text, sizeof text) == 1);
  CHECK(write(slave, "a\n", 2) == 2 && read(master, text, sizeof text) == 2 && text[1] == '\n');
  SYS(tcflush(slave, TCIOFLUSH));
  SYS(tcdrain(slave));
  CHECK(strcmp(ttyname(slave), name) == 0);
  printf("%s speed %u flags %x\n", name, (unsigned)cfgetospeed(&back), back.c_cflag);
  close(slave);
  FAILS(read(master, text, 1), EIO);
  return success();
}
