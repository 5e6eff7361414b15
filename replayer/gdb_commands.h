// The commands for gdb, as text that its Python executes: gdb_commands.py, built in.
#pragma once

namespace tmrec::replayer {

extern const char* const kGdbCommands;

}  // namespace tmrec::replayer
