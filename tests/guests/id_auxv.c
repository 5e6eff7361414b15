// The auxiliary vector: AT_RANDOM's bytes, the vdso, page size, entry point.
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>

int main(void) {
  const unsigned char* random = (const unsigned char*)getauxval(AT_RANDOM);
  CHECK(random != NULL);
  for (int i = 0; i < 16; i++) printf("%02x", random[i]);
  CHECK(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_UID) == getuid());
  printf("\n= clock ticks %lu secure %lu\n", getauxval(AT_CLKTCK), getauxval(AT_SECURE));
  const unsigned char* vdso = (const unsigned char*)getauxval(AT_SYSINFO_EHDR);
  if (vdso) CHECK(memcmp(vdso, ELFMAG, 4) == 0);
  printf("vdso %p entry %lx headers %lx hwcap %lx\n", (const void*)vdso, getauxval(AT_ENTRY), getauxval(AT_PHDR), getauxval(AT_HWCAP));
  printf("program %s\n", (const char*)getauxval(AT_EXECFN));
  return success();
}
