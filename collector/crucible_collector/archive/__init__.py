"""Archives: rows put away as Parquet files where nothing runs, and brought back from there, value for value.

In the order of their life: `destination` is where files lie (S3, GCS, Azure, a folder), by obstore;
`parquet` makes a file of rows and reads it back; `manifest` says what there is, and is written last, so
that files without one are no archive. `create` writes an archive and reads all of it back, `contents` reads
it later; `drop` takes away rows that an archive has, `restore` brings them back, `clean` what is left of
archives that were never finished; `work` is what all of these have in common. `archives` are those of a
running collector, asked for over REST, and `command` those of the command line.
"""
