"""Archives as the database has them: which rows go into files, how they leave, how they come back.

`state` is what is remembered of each archive and its files; `slices` cuts what is asked for into the rows
of a file each; `dropping` takes away what a file has, `settling` sees to it before that roll-ups outlive
it; `restoring` brings back what is missing; `staging` is how both hold a file
against the database. What files are and where they lie, `crucible_collector.archive`
knows.

Rows have no key, and equal ones there may be several of. So a row of a file and a row of the database are
the same where all their values, as text, have the same SHA-256, and of equal ones as many are dropped or
brought back as the file has. Nothing has to be locked for that: rows that come meanwhile, or were changed,
are not among those.
"""
