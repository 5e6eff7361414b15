"""Writes a C++ source that holds a text file: embed.py TEXT SOURCE."""

import sys

with open(sys.argv[1], encoding="ascii") as f:
    text = f.read()
with open(sys.argv[2], "w", encoding="ascii") as f:
    f.write('#include "replayer/gdb_commands.h"\n\nconst char* const tmrec::replayer::kGdbCommands =\n')
    for line in text.splitlines():
        escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
        f.write(f'    "{escaped}\\n"\n')
    f.write("    ;\n")
