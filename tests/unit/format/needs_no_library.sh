#!/bin/sh
# needs_no_library.sh ARCHIVE: fails when the code calls more than the four functions that the compiler itself relies on.
set -eu
needed=$(nm -u "$1" | awk '$1 == "U" && $2 !~ /^(memcpy|memmove|memset|memcmp|_GLOBAL_OFFSET_TABLE_)$/ { print $2 }')
if [ -n "$needed" ]; then
  echo "needs: $needed" >&2
  exit 1
fi
nm "$1" | grep -q ' T write_freestanding_record$'
