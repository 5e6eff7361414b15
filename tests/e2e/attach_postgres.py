"""PostgreSQL with its processes, attached to under load."""

from attaching.servers import check, postgres

check(postgres)
