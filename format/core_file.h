// A snapshot as an ELF core file (elf(5), core(5)): gdb opens it without tmrec, and a replay rebuilds a process from
// it.
//
//   NT_PRSTATUS, NT_PRPSINFO, NT_FPREGSET, NT_X86_XSTATE, NT_AUXV, NT_FILE    for gdb
//   a note of owner "TMREC": hash of the file, then the snapshot as encode_snapshot_note() gives it    for tmrec
//   a PT_LOAD for each run of stored pages and each stretch between them that its mapping's source shows
//
// Not compressed, so that it can be mapped; pages of zeros in anonymous memory are not stored.
#pragma once

#include <filesystem>

#include "format/result.h"
#include "format/snapshot.h"

namespace tmrec {

// Writes a new file, mode 0600; a failure leaves none. A program that executes another waits for it, so it is
// TraceDir::sync() that makes it survive a power failure. The snapshot must be as snapshot.h says: mappings
// ordered and page aligned, pages ordered and inside them; otherwise System.
Result<void> write_core(const Snapshot& snapshot, const std::filesystem::path& path);

// Pages come back as runs: adjacent ones joined, zeros in anonymous memory left out. Errors are BadTrace and name the
// path. The file is hostile input: nothing is allocated beyond its size, and its content has the hash it names.
Result<Snapshot> read_core(const std::filesystem::path& path);

}  // namespace tmrec
