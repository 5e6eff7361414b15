"""A real program without debug information: sqlite3, gone through by system calls and addresses, forwards and backwards; its last write to the
buffer it prints; a diversion in it."""

import re
import sys

from debugging import gdb, need, recorded

sqlite = need("sqlite3")
WORK = """
create table t(id integer primary key, a text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000) insert into t select i, 'row ' || i from n;
select count(*), max(a) from t;
"""
trace = recorded(sqlite, stdin=WORK)
text = gdb(trace, "catch syscall write", "continue", "when", "print (char)*(char*)$rsi", "print *(unsigned char*)$rsi", "last *(char*)$rsi", "bt 1", "when",
           "delete", "print (int)getpid()", "print (unsigned long)strlen(\"sqlite\")", "seek end", "when", "tbreak write", "reverse-continue", "when")
text.expect("call to syscall write", "^position", r"\$1 = 50 '2'", r"\$2 = 50", r"is written here: .*50 '2' after|is written here", "^position",
            r"\$3 = \d+", r"\$4 = 6", "^position", "breakpoint 2|Breakpoint 2", "^position")
places = [tuple(map(int, place.split("."))) for place in re.findall(r"^position (\S+):", text, re.MULTILINE)]
written, last, end, back = places
if not last < written < end or not back < end:
    sys.exit(f"places out of order: {places}\n{text}")
