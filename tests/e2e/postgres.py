"""PostgreSQL: processes that share memory, semaphores and a log, with clients outside the recording."""

import threading

from databases import cluster, connected, shut_down
from recording import Recording, await_port, free_port

CLIENTS, ROUNDS = 4, 25
port = free_port()
recording = Recording(cluster(port), cwd="/")
await_port(port)
first = connected(port)
first.ask("create table accounts (id int primary key, balance int)")
first.ask("insert into accounts select i, 100 from generate_series(1, 50) i")
failures = []


def transfer(number):
    """Moves money around, with row locks that the others wait for."""
    try:
        client = connected(port)
        for i in range(ROUNDS):
            source, target = sorted(((number + i) % 5 + 1, (number * 3 + i) % 7 + 6))
            client.ask(f"begin; update accounts set balance = balance - 1 where id = {source}; "
                       f"update accounts set balance = balance + 1 where id = {target}; commit")
        client.close()
    except Exception as error:
        failures.append(f"{type(error).__name__}: {error}")


threads = [threading.Thread(target=transfer, args=(n,)) for n in range(CLIENTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(200)
recording.check(not failures, f"{failures}")
recording.check(first.ask("select sum(balance) from accounts") == [[b"5000"]], "money was lost")
recording.check(first.ask("select count(*) from accounts a, accounts b where a.balance <= b.balance")[0][0].isdigit(), "no join")
first.ask("vacuum analyze accounts")
first.close()
shut_down(port)
recording.finish(120)
recording.check(b"database system is shut down" in recording.err, "it was not shut down")
recording.replay()
