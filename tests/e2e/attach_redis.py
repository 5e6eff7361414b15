"""redis-server, attached to under load."""

from attaching.servers import check, redis

check(redis)
