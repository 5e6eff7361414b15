// SCM_CREDENTIALS: who sent the message.
#include "guest.h"

int main(void) {
  int pair[2], on = 1;
  SYS(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
  SYS(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  pid_t child = SYS(fork());
  if (child == 0) {
    CHECK(send(pair[1], "it is me", 8, 0) == 8);
    _exit(0);
  }
  char text[16] = "", control[CMSG_SPACE(sizeof(struct ucred)) + 64];
  struct iovec vector = {text, sizeof text};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  CHECK(recvmsg(pair[0], &message, 0) == 8);
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  CHECK(header && header->cmsg_type == SCM_CREDENTIALS);
  struct ucred* who = (struct ucred*)CMSG_DATA(header);
  CHECK(who->pid == child && who->uid == getuid());
  CHECK(wait_exit(child) == 0);
  printf("%s: pid %d uid %d gid %d\n", text, who->pid, who->uid, who->gid);
  return success();
}
