"""bash: pipes, subshells, here documents, process substitution, traps, and jobs stopped and continued."""

from recording import file, need, record_and_replay

bash = need("bash")

PIPES = """
set -o pipefail
seq 1 2000 | awk '{s += $1} END {print "sum", s}'
printf 'b\\na\\nc\\n' | sort | tr a-z A-Z | paste -sd, -
false | true; echo "pipefail $?"
(cd /; echo "subshell in $PWD"; exit 3); echo "status $?"
x=$(cat <<HERE
here $((6 * 7)) from $$
HERE
)
echo "$x"
diff <(printf '1\\n2\\n') <(printf '1\\n3\\n'); echo "diff $?"
while read -r a b; do echo "read $b $a"; done < <(printf 'one two\\nthree four\\n')
for i in 1 2 3 4 5 6 7 8; do echo "$i $RANDOM $SECONDS" & done; wait
coproc cat; echo through >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "coproc $line"
exec {COPROC[1]}>&-; wait
date +%s.%N; echo done-pipes
"""

JOBS = """
set -m
trap 'echo trapped USR1' USR1
kill -USR1 $$
sleep 30 & pid=$!
kill -STOP $pid; sleep 0.1; jobs -l | sed "s/$pid/PID/"
kill -CONT $pid; kill -TERM $pid; while kill -0 $pid 2>/dev/null; do sleep 0.05; done; wait $pid; echo "sleeper $?"
(trap 'echo child int; exit 4' INT; while :; do sleep 0.02; done) & child=$!
sleep 0.2; kill -INT -- -$child; wait $child; echo "child $?"
( (sleep 0.2; echo orphan) & ); wait; sleep 0.4
trap 'echo exiting with $?' EXIT
exit 9
"""

record_and_replay([bash, file("pipes.sh", PIPES)], ["sum 2001000", "A,B,C", "pipefail 1", "status 3", "here 42", "diff 1",
                                                    "read four three", "coproc through", "done-pipes"])
record_and_replay([bash, file("jobs.sh", JOBS)], ["trapped USR1", "Stopped", "sleeper 143", "child int", "child 4", "orphan",
                                                  "exiting with 9"], status=9)
record_and_replay([bash, "-c", "kill -SEGV $$"], status=128 + 11)
record_and_replay([need("sh"), "-c", "echo one; exec sh -c 'echo two; exec echo three'"], ["one\ntwo\nthree\n"])
