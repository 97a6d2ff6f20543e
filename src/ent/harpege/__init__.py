"""The Harpège feed: staff of the personnel database become people of the directory.

What Harpège says is in `source` and `records`; what the directory should say in `rules`,
`account` and `structures`, pure functions; the difference of one person in `people`, of a
whole run in `plan`; `apply` writes it. `mailup` brings the addresses of the legacy server,
`cli` is the command `ent-harpege`.
"""
