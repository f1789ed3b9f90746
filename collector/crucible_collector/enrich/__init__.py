"""From columns of the wire to rows of the database: names, identity, dimensions, points, runs.

`columns` reads slots, `series` names dimensions, `spans`, `metrics` and `logs` build the tables, and
`runs` collects what a window says about runs and experiments. Nothing here knows the database.
"""
