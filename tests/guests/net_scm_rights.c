// SCM_RIGHTS: descriptors travel between processes.
#include "guest.h"

int main(void) {
  int pair[2];
  SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  union {
    char bytes[CMSG_SPACE(3 * sizeof(int))];
    struct cmsghdr align;
  } control;
  char payload[8] = "";
  struct iovec vector = {payload, 7};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  pid_t child = SYS(fork());
  if (child == 0) {
    int fds[3] = {(int)SYS(memfd_create("gift", 0)), (int)SYS(open("/dev/zero", O_RDONLY)), 1};
    CHECK(write(fds[0], "contents", 8) == 8);
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(header), fds, sizeof fds);
    memcpy(payload, "for you", 7);
    CHECK(sendmsg(pair[1], &message, 0) == 7);
    _exit(0);
  }
  CHECK(recvmsg(pair[0], &message, MSG_CMSG_CLOEXEC) == 7);
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  CHECK(header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(3 * sizeof(int)));
  int fds[3];
  memcpy(fds, CMSG_DATA(header), sizeof fds);
  char text[9] = "";
  CHECK(pread(fds[0], text, 8, 0) == 8 && strcmp(text, "contents") == 0);
  CHECK(read(fds[1], text, 8) == 8 && text[0] == 0);
  CHECK(fcntl(fds[0], F_GETFD) == FD_CLOEXEC);
  dprintf(fds[2], "written through a received descriptor\n");
  CHECK(wait_exit(child) == 0);
  char* map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fds[0], 0);
  CHECK(map != MAP_FAILED && memcmp(map, "contents", 8) == 0);
  printf("%.7s: %d %d %d\n", payload, fds[0], fds[1], fds[2]);
  return success();
}
