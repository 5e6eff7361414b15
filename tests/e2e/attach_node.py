"""node, attached to under load."""

from attaching.servers import check, node

check(node)
