"""A Go HTTP server, attached to under load."""

from attaching.servers import check, go

check(go)
