// sendmmsg and recvmmsg: several messages a call, with time-out.
#include "guest.h"

int main(void) {
  int pair[2];
  SYS(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
  struct mmsghdr out[4], in[6];
  struct iovec ov[4], iv[6];
  char texts[4][32], bufs[6][32];
  memset(out, 0, sizeof out);
  memset(in, 0, sizeof in);
  memset(bufs, 0, sizeof bufs);
  for (int i = 0; i < 4; i++) {
    ov[i].iov_base = texts[i];
    ov[i].iov_len = (size_t)snprintf(texts[i], sizeof texts[i], "message %d of %d", i, getpid());
    out[i].msg_hdr.msg_iov = &ov[i];
    out[i].msg_hdr.msg_iovlen = 1;
  }
  CHECK(sendmmsg(pair[0], out, 4, 0) == 4);
  CHECK(out[3].msg_len == ov[3].iov_len);
  for (int i = 0; i < 6; i++) {
    iv[i] = (struct iovec){bufs[i], sizeof bufs[i]};
    in[i].msg_hdr.msg_iov = &iv[i];
    in[i].msg_hdr.msg_iovlen = 1;
  }
  struct timespec limit = {1, 0};
  int n = (int)SYS(recvmmsg(pair[1], in, 6, MSG_WAITFORONE, &limit));
  CHECK(n == 4);
  for (int i = 0; i < n; i++) printf("%u bytes: %s\n", in[i].msg_len, bufs[i]);
  CHECK(strcmp(bufs[2], texts[2]) == 0 || memcmp(bufs[2], texts[2], in[2].msg_len) == 0);
  FAILS(recvmmsg(pair[1], in, 2, MSG_DONTWAIT, NULL), EAGAIN);
  return success();
}
