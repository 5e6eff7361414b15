// System V message queues: types, blocking receive, errors.
#include "guest.h"
#include <sys/ipc.h>
#include <sys/msg.h>

struct message {
  long type;
  char text[64];
};

int main(void) {
  int id = (int)SYS(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
  struct message m;
  FAILS(msgrcv(id, &m, sizeof m.text, 0, IPC_NOWAIT), ENOMSG);
  pid_t child = SYS(fork());
  if (child == 0) {
    sleep_ms(10);
    for (long type = 3; type > 0; type--) {
      m.type = type;
      int length = snprintf(m.text, sizeof m.text, "type %ld from %d", type, getpid());
      SYS(msgsnd(id, &m, (size_t)length + 1, 0));
    }
    _exit(0);
  }
  for (long type = 1; type <= 3; type++) {
    memset(&m, 0, sizeof m);
    ssize_t n = SYS(msgrcv(id, &m, sizeof m.text, type, 0));
    CHECK(m.type == type && m.text[n - 1] == 0);
    printf("%s\n", m.text);
  }
  CHECK(wait_exit(child) == 0);
  struct msqid_ds ds;
  SYS(msgctl(id, IPC_STAT, &ds));
  CHECK(ds.msg_qnum == 0 && ds.msg_lspid == child);
  SYS(msgctl(id, IPC_RMID, NULL));
  return success();
}
