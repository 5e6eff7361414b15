// A semaphore in shared memory between two processes.
#include "guest.h"
#include <semaphore.h>

int main(void) {
  sem_t* sems = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(sems != MAP_FAILED);
  SYS(sem_init(&sems[0], 1, 0));
  SYS(sem_init(&sems[1], 1, 0));
  volatile int* turn = (volatile int*)&sems[8];
  pid_t child = SYS(fork());
  if (child == 0) {
    for (int i = 0; i < 60; i++) {
      SYS(sem_wait(&sems[0]));
      *turn = *turn + 1;
      SYS(sem_post(&sems[1]));
    }
    _exit(0);
  }
  for (int i = 0; i < 60; i++) {
    *turn = *turn * 2 % 1000003;
    SYS(sem_post(&sems[0]));
    SYS(sem_wait(&sems[1]));
  }
  CHECK(wait_exit(child) == 0);
  printf("with %d: %d at %p\n", child, *turn, (void*)sems);
  return success();
}
