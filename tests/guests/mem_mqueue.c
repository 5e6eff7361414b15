// POSIX message queues: priorities, time-outs, notification by signal.
#include "guest.h"
#include <mqueue.h>

static volatile sig_atomic_t notified;
static void handler(int signal) { notified = signal; }

int main(void) {
  char name[64], text[64];
  snprintf(name, sizeof name, "/guest-mq-%d", getpid());
  struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64}, now;
  mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr);
  if (q == (mqd_t)-1) {
    printf("no message queues: errno %d\n", errno);
    return success();
  }
  SYS(mq_unlink(name));
  signal(SIGUSR1, handler);
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  SYS(mq_notify(q, &event));
  FAILS(mq_receive(q, text, sizeof text, NULL), EAGAIN);
  for (unsigned i = 0; i < 4; i++) {
    int length = snprintf(text, sizeof text, "%u of %d", i, getpid());
    SYS(mq_send(q, text, (size_t)length + 1, i * 3 % 4));
  }
  FAILS(mq_send(q, text, 3, 0), EAGAIN);
  CHECK(notified == SIGUSR1);
  SYS(mq_getattr(q, &now));
  CHECK(now.mq_curmsgs == 4);
  unsigned priority, last = 9;
  while (mq_receive(q, text, sizeof text, &priority) > 0) {
    CHECK(priority < last);
    last = priority;
    printf("%u: %s\n", priority, text);
  }
  return success();
}
