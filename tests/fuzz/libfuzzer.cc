// One libFuzzer program per target: TMREC_FUZZ_TARGET names it.
#include <cstddef>

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tmrec::fuzz::TMREC_FUZZ_TARGET.run({data, size});
  return 0;
}
