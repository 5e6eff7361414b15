// System V shared memory: get, attach, detach, stat, remove.
#include "guest.h"
#include <sys/ipc.h>
#include <sys/shm.h>

int main(void) {
  int id = (int)SYS(shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600));
  int* ours = shmat(id, NULL, 0);
  SYS(shmctl(id, IPC_RMID, NULL));
  CHECK(ours != (void*)-1);
  int* again = shmat(id, NULL, SHM_RDONLY);
  CHECK(again != (void*)-1);
  pid_t child = SYS(fork());
  if (child == 0) {
    ours[100] = getpid();
    SYS(shmdt(ours));
    _exit(0);
  }
  CHECK(wait_exit(child) == 0);
  CHECK(again[100] == child);
  struct shmid_ds ds;
  SYS(shmctl(id, IPC_STAT, &ds));
  CHECK(ds.shm_segsz == 10000 && ds.shm_nattch == 2 && ds.shm_cpid == getpid());
  printf("id %d at %p and %p, last %d\n", id, (void*)ours, (void*)again, ds.shm_lpid);
  SYS(shmdt(ours));
  SYS(shmdt(again));
  return success();
}
