"""The help desk: staff find out why somebody cannot sign in, and let them choose a new password.

Nobody but its owner ever knows a password: staff verify the caller and read out a
one-time code, with which the caller chooses a password on a public page.

Business steps, without HTTP (each writes the audit trail or does nothing):

    lookup        find people
    diagnosis     why somebody cannot sign in
    verification  is the caller who they say they are
    issuing       give a code
    redemption    the caller's side: a code and a new password
    unlocking     lift locks
    audit         read the trail, export it, check that it is whole

What they stand on: `desk` (the things they need), `codes`, `trail`, `storage`
(PostgreSQL), `signon` (the sign-on's count of failures).
"""
