"""coreutils, findutils, tar and grep over the files of the system."""

import os

from recording import file, need, record_and_replay, scratch

need("find", "tar", "gzip", "grep")
tree = "/usr/include/linux" if os.path.isdir("/usr/include/linux") else "/usr/lib"
os.makedirs(os.path.join(scratch, "w"))

for argv in (["ls", "-lR", tree], ["find", tree, "-type", "f", "-newermt", "2000-01-01", "-printf", "%p %s %i\n"],
             ["du", "-s", tree], ["wc", "-l", "/etc/passwd"], ["stat", "/", "/dev/null"],
             ["df", "/"], ["id"], ["date", "-u"], ["uname", "-a"], ["env"], ["nproc"], ["dd", "if=/dev/urandom", "of=w/r",
             "bs=64k", "count=8"], ["sha256sum", "w/r"], ["od", "-A", "x", "-t", "x1", "-N", "64", "w/r"], ["uptime"]):
    record_and_replay(argv)

file("words", "".join(f"{i * 7919 % 10007} word\n" for i in range(10000)))
first = record_and_replay(["sort", "-n", "words"], ["0 word\n1 word\n"])
first.check(first.out.splitlines()[-1] == b"10006 word", "sorted wrongly")
record_and_replay(["sort", "-n", "--parallel=2", "-S", "100k", "-T", ".", "words"])
record_and_replay(["cp", "-a", tree, "copy"])
record_and_replay(["diff", "-r", tree, "copy"])
record_and_replay(["tar", "czf", "w/archive.tar.gz", "copy"])
record_and_replay(["tar", "tzf", "w/archive.tar.gz"], ["copy/"])
record_and_replay(["grep", "-rc", "define", "copy"])
record_and_replay(["sh", "-c", "find copy -type f | xargs -P2 -n40 sha1sum | sort | sha1sum"])
record_and_replay(["rm", "-r", "copy"]).check(not os.path.exists(os.path.join(scratch, "copy")), "the copy is still there")
record_and_replay(["timeout", "0.2", "sleep", "10"], status=124)
record_and_replay(["tail", "-n", "3", "words"])
record_and_replay(["split", "-n", "4", "words", "w/part-"])
record_and_replay(["cat", "w/part-aa", "w/part-ab", "w/part-ac", "w/part-ad"]).check(
    os.path.getsize(os.path.join(scratch, "words")) > 0, "empty")
record_and_replay(["ls", "no-such-file"], status=2)
