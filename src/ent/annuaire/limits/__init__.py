"""How often somebody may try a secret: growing delays, then a lock the help desk lifts.

One place for every task that tries what only its owner knows: activation
(proofs of identity), change of password (the present one), one-time codes.
Counts are rows of the annuaire's database, so they are the same for every
process and survive a restart.

    rules     what happens after so many failures (no database)
    attempts  begin an attempt, end it
    locks     for the help desk: what keeps a person from trying, and lifting it
"""
