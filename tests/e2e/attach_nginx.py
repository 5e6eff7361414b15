"""nginx with two workers, attached to under load."""

from attaching.servers import check, nginx

check(nginx)
