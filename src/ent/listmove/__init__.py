"""Subscriptions follow their person to the new address (guide, G7d).

A worker on the lists host. It wants one thing to be true: every subscription, ownership and
moderation in Sympa that is held under an old address of an activated person belongs to their
`mail`. It compares and moves what differs; so whenever it is started, stopped, killed or cut off,
the next comparison goes on from what is there (docs/listmove.md).

    settings    what the settings file holds
    addresses   whose an address is, and what has to be moved
    database    a connection to PostgreSQL that comes back
    tables      what Sympa holds
    sympa       Sympa's own operation, through a helper that runs as Sympa
    ledger      what was done, what is to be done, and how far the directory was followed
    worker      all of it together
"""
