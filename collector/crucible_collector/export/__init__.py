"""Taking rows away: as CSV, JSON lines, Parquet or Arrow, in constant memory.

In the order in which a request meets them: `kinds` says what there is of each kind and by which filters,
`chosen` which columns that makes (`store.exported` puts the statement together); `run` reads
batches ahead of writing them, `shown` gives them the forms that the API gives, `anonymise` hides what is not to
leave; `writers` are the formats, of which `json_lines` makes its own text, and `outputs` the files, in directories where it is to be partitioned.
`exports` keeps the files of those that are asked for over REST, `command` is the one on the command line.
"""
