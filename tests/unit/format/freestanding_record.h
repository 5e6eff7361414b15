// Writes a record from code built -ffreestanding, without exceptions and run-time types.
#pragma once

#include <cstddef>
#include <cstdint>

// A system call with number 5 by task 42 that returned -7, with an output of four bytes 1 2 3 4 at 0x1000. Returns the
// size of the record, or 0 when it does not fit.
extern "C" std::size_t write_freestanding_record(std::uint8_t* buffer, std::size_t capacity);
