"""A python3 server with 20 threads, attached to under load."""

from attaching.servers import check, pool

check(pool)
