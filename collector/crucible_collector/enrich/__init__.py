"""From columns of the wire to rows of the database: names, identity, dimensions, points, runs.

`spans`, `metrics` and `logs` build the tables of one signal each, on what `window` shares among them.
They ask `columns` for texts, numbers and times, `events` for the name of what happened, `dimensions`
and `series` for the ids and rows that records share (`hashing` makes the ids), and `facts` collects
what a window says about runs and experiments. Nothing here knows the database.
"""
