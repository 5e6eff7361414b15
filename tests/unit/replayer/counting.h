// What counting.c and the test know of each other.
#pragma once

enum {
  kRounds = 5,
  kNotesPerRound = 1000,
  kSeldom = 100,  // every so many notes something is written to `seldom`
  kOnce = 1234,   // the note that writes `once`
};

struct CountingData {
  void (*note)(long i);  // the function
  void (*start)(void);   // what calls it, and comes behind it in memory
  long total;            // of all notes
  long seldom[kRounds * kNotesPerRound / kSeldom];
  long once;
};

#define COUNTING_DATA 0x600000  // its address
