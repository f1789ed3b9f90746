-- What are the relations of archives, for who looks at them in SQL?

comment on table crucible.archives is
    'What was put away as Parquet files: what of it, where, how far, whether rows were dropped and came back';
comment on column crucible.archives.archive_id is 'Random: its key, and the folder that its files lie in';
comment on column crucible.archives.created_at is 'When it was asked for, or first restored from, UTC';
comment on column crucible.archives.updated_at is 'When it last went on, UTC';
comment on column crucible.archives.written_at is 'When its manifest was written, UTC; null: it is none yet';
comment on column crucible.archives.verified_at is 'When all of it was last read back and found right, UTC';
comment on column crucible.archives.dropped_at is 'When the last of its rows were dropped here, UTC';
comment on column crucible.archives.restored_at is 'When the last of its rows came back here, UTC';
comment on column crucible.archives.gone_before is
    'Rows before this may be gone: roll-ups are not refreshed from what is left. Null: none are';
comment on column crucible.archives.job_id is 'The job that last worked on it; null: a command did';
comment on column crucible.archives.is_own is
    'Whether its rows were those of this database, whose roll-ups have them whatever becomes of the rows';
comment on column crucible.archives.state is
    'writing, written (the manifest is there), verified, dropping, dropped, restoring, restored or failed';
comment on column crucible.archives.asked_by is 'Name of the API key that it was asked for with; empty: none';
comment on column crucible.archives.url is 'Where it lies, without credentials; its folder is there';
comment on column crucible.archives.manifest_sha256 is 'SHA-256 of its manifest.json, in hex';
comment on column crucible.archives.error is 'Why it stopped where it is, in a sentence; null: it did not';
comment on column crucible.archives.asked is 'What was asked for: experiment, period, relations';

comment on table crucible.archive_files is 'The files of archives, each of one relation';
comment on column crucible.archive_files.archive_id is 'Which archive it belongs to';
comment on column crucible.archive_files.number is 'Its place in the archive, from 0';
comment on column crucible.archive_files.relation is 'Of which relation its rows are';
comment on column crucible.archive_files.state is 'planned, written, dropped (its rows, here) or restored';
comment on column crucible.archive_files.from_time is 'Its rows are from then on; null: they have no time';
comment on column crucible.archive_files.to_time is 'And before this';
comment on column crucible.archive_files.row_count is 'How many rows it has';
comment on column crucible.archive_files.byte_count is 'How large it is, bytes';
comment on column crucible.archive_files.dropped_count is
    'How many of its rows were dropped here; the others had been changed, or were gone';
comment on column crucible.archive_files.restored_count is 'How many of its rows were missing and came back';
comment on column crucible.archive_files.path is 'Its name in the folder of the archive';
comment on column crucible.archive_files.entry is 'What the manifest says of it: columns, digests, sampling';
