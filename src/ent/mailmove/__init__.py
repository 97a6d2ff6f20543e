"""Messages of the legacy server follow their person to the new mailbox (guide, G7c).

A worker on the legacy server. It wants one thing to be true: of a person whose
account is activated, every message in the legacy mailbox is in the new one. It
compares and copies what is missing; so whenever it is started, stopped, killed or
cut off, the next pass goes on from what is there (docs/mailmove.md).

    settings    what the settings file holds
    mailboxes   a mailbox over IMAP, on either server
    copying     one pass over one person's mailbox
    ledger      what has been copied, and who is to be looked at (SQLite)
    status      what others may know about a person's move
    worker      all of it together
"""
