// dlopen and dlclose of a library, with symbols used in between; exceptions thrown at depth.
#include <dlfcn.h>

#include <stdexcept>

#include "guest.h"

static int thrower(int depth) {
  if (depth == 0) throw std::out_of_range("bottom");
  return thrower(depth - 1) + 1;
}

int main() {
  for (int round = 0; round < 2; round++) {
    void* library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
    CHECK(library != nullptr);
    auto* cosine = reinterpret_cast<double (*)(double)>(dlsym(library, "cos"));
    CHECK(cosine != nullptr && cosine(0.0) == 1.0);
    printf("cos at %p is %.17g\n", reinterpret_cast<void*>(cosine), cosine(static_cast<double>(getpid())));
    CHECK(dlclose(library) == 0);
  }
  CHECK(dlopen("libdoes-not-exist.so", RTLD_NOW) == nullptr);
  bool caught = false;
  try {
    thrower(20);
  } catch (const std::out_of_range&) {
    caught = true;
  }
  CHECK(caught);
  return success();
}
