// System V semaphores: semop that blocks, semtimedop, SEM_UNDO at a death.
#include "guest.h"
#include <sys/ipc.h>
#include <sys/sem.h>

int main(void) {
  int id = (int)SYS(semget(IPC_PRIVATE, 2, IPC_CREAT | 0600));
  unsigned short values[2] = {1, 0};
  SYS(semctl(id, 0, SETALL, values));
  pid_t child = SYS(fork());
  if (child == 0) {
    struct sembuf take = {0, -1, SEM_UNDO}, tell = {1, 1, 0};
    SYS(semop(id, &take, 1));
    SYS(semop(id, &tell, 1));
    sleep_ms(10);
    _exit(0);  // gives semaphore 0 back
  }
  struct sembuf heard = {1, -1, 0}, take = {0, -1, 0}, now = {0, -1, IPC_NOWAIT};
  SYS(semop(id, &heard, 1));
  SYS(semop(id, &take, 1));
  CHECK(wait_exit(child) == 0);
  FAILS(semop(id, &now, 1), EAGAIN);
  struct timespec t = {0, 5000000};
  FAILS(semtimedop(id, &take, 1, &t), EAGAIN);
  SYS(semctl(id, 0, GETALL, values));
  int last = semctl(id, 0, GETPID);
  printf("id %d values %d %d last %d\n", id, values[0], values[1], last);
  CHECK(values[0] == 0 && values[1] == 0);
  SYS(semctl(id, 0, IPC_RMID));
  FAILS(semop(id, &take, 1), EINVAL);
  return success();
}
