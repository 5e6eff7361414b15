// Functions of a program and of a library that call each other by name, and never loop. Each goes on until *done.
#pragma once

#include <stdint.h>

// In the program.
void tail_here(volatile int* done);
uint64_t tree_here(unsigned n, volatile int* done);
uint64_t direct_here(unsigned n, volatile int* done) __attribute__((noplt));

// In the library.
void tail_there(volatile int* done);
uint64_t tree_there(unsigned n, volatile int* done);
uint64_t direct_there(unsigned n, volatile int* done) __attribute__((noplt));
