#include "tests/unit/format/freestanding_record.h"

#include "format/syscall_record.h"

static_assert(__STDC_HOSTED__ == 0, "this file proves that the record needs no library");

extern "C" std::size_t write_freestanding_record(std::uint8_t* buffer, std::size_t capacity) {
  tmrec::RecordHead head;
  head.number = 9;
  head.tid = 42;
  tmrec::SyscallRecord call;
  call.ret = -7;
  call.regs.orig_rax = 5;
  tmrec::RecordWriter writer(buffer, capacity);
  writer.begin(head, call);
  if (std::uint8_t* at = writer.reserve_extent(0x1000, 4, false)) {
    for (std::uint8_t i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(i + 1);
  }
  return writer.finish();
}
