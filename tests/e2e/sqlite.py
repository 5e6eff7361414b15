"""sqlite3: a database on disk in WAL mode, with mmap_size set, and several connections."""

import os

from recording import file, need, record_and_replay, scratch

sqlite3, python = need("sqlite3", "/usr/bin/python3")

FILL = """
create table t(id integer primary key, a text, b real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
  insert into t select i, hex(randomblob(10)), random() / 1e9 from n;
create index ta on t(a);
update t set b = b * 2 where id % 3 = 0;
delete from t where id % 7 = 0;
select count(*), sum(length(a)) from t;
select a from t order by a limit 5;
"""

record_and_replay([sqlite3, ":memory:", FILL], ["2572|51440"])
for name, pragmas in (("plain", ""), ("wal", "pragma journal_mode = wal;"), ("mmap", "pragma mmap_size = 100000000;"),
                      ("both", "pragma journal_mode = wal; pragma mmap_size = 100000000;")):
    database = os.path.join(scratch, name + ".db")
    record_and_replay([sqlite3, database, pragmas + FILL], ["2572|51440"])
    record_and_replay([sqlite3, database, pragmas + "begin; update t set a = 'x' || a; commit; pragma integrity_check; vacuum;"
                       "select count(*) from t where a like 'x%';"], ["ok", "2572"])

TWO = """
import sqlite3, sys, threading
def connect():
    c = sqlite3.connect(sys.argv[1], timeout=20); c.execute("pragma journal_mode=wal"); c.execute("pragma mmap_size=50000000")
    return c
connect().executescript("create table t(n integer, who integer)")
def write(who):
    c = connect()
    for n in range(25):
        with c: c.execute("insert into t values (?, ?)", (n, who))
threads = [threading.Thread(target=write, args=(i,)) for i in range(3)]
[t.start() for t in threads]; [t.join() for t in threads]
c = connect(); print(c.execute("select group_concat(who, '') from t").fetchone()[0]); print(c.execute("select count(*) from t").fetchone())
"""
record_and_replay([python, file("two.py", TWO), os.path.join(scratch, "shared.db")], ["(75,)"])
