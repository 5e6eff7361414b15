// Descriptor numbers that change what they stand for between thousands of calls: files, pipes that wait, mapped files.
#include "guest.h"

#include <sys/un.h>
#include <sys/wait.h>

// Connections whose first byte comes later, and that do not wait for it.
static void accept_many(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "listener"};
  int listener = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
  SYS(bind(listener, (struct sockaddr*)&name, sizeof name));
  SYS(listen(listener, 10));
  pid_t child = SYS(fork());
  for (int round = 0; round < 60; round++) {
    char byte = 0;
    if (child == 0) {
      int client = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
      SYS(connect(client, (struct sockaddr*)&name, sizeof name));
      usleep(500);
      SYS(write(client, "x", 1));
      CHECK(read(client, &byte, 1) == 0 && close(client) == 0);
      continue;
    }
    int flags = round % 2 ? SOCK_NONBLOCK : 0, number = SYS(accept4(listener, NULL, NULL, flags));
    long got;
    while ((got = read(number, &byte, 1)) == -1) CHECK(flags && errno == EAGAIN);
    CHECK(got == 1 && byte == 'x' && close(number) == 0);
  }
  if (child == 0) _exit(0);
  CHECK(waitpid(child, NULL, 0) == child && close(listener) == 0 && unlink("listener") == 0);
}

int main(void) {
  char byte = 0, line[16];
  int file = open("data", O_RDWR | O_CREAT, 0600);
  CHECK(file >= 0 && write(file, "0123456789", 10) == 10);
  char* shown = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
  CHECK(shown != MAP_FAILED);
  for (int round = 0; round < 100; round++) {
    // Writes that a mapping shows.
    byte = (char)('a' + round % 26);
    CHECK(pwrite(file, &byte, 1, round % 10) == 1 && shown[round % 10] == byte);
    CHECK(pread(file, line, 10, 0) == 10 && line[round % 10] == byte);
    // The same number: a file, then a pipe that has nothing yet.
    int number = open("data", O_RDONLY), ends[2];
    CHECK(number >= 0 && read(number, &byte, 1) == 1);
    FAILS(write(number, &byte, 1), EBADF);
    // What tells of tmrec looks as it would without.
    char status[4096];
    int proc = open("/proc/self/status", O_RDONLY);
    long length = proc < 0 ? -1 : read(proc, status, sizeof status - 1);
    CHECK(length > 0 && memmem(status, (size_t)length, "TracerPid:\t0\n", 13) && close(proc) == 0);
    CHECK(pipe(ends) == 0 && dup2(ends[0], number) == number);
    if (round % 10 == 0) {
      pid_t child = fork();
      if (child == 0) {
        usleep(2000);
        _exit(write(ends[1], "z", 1) == 1 ? 0 : 1);
      }
      CHECK(read(number, &byte, 1) == 1 && byte == 'z' && waitpid(child, NULL, 0) == child);
    } else {
      CHECK(write(ends[1], "y", 1) == 1 && read(number, &byte, 1) == 1 && byte == 'y');
      CHECK(fcntl(number, F_SETFL, O_NONBLOCK) == 0 && read(number, &byte, 1) == -1 && errno == EAGAIN);
    }
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0 && close(number) == 0);
    CHECK(read(number, &byte, 1) == -1 && errno == EBADF);
  }
  accept_many();
  CHECK(unlink("data") == 0);
  printf("%.10s\n", shown);
  return success();
}
