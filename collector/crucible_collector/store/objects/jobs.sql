-- What are the relations of jobs, for who looks at them in SQL?

comment on table crucible.jobs is
    'Exports, archives, restores and computations of cost that were asked for: how far, how ended';
comment on column crucible.jobs.job_id is 'Random: its key';
comment on column crucible.jobs.created_at is 'When it was asked for, UTC';
comment on column crucible.jobs.finished_at is 'When it ended, however it did, UTC; null: it has not';
comment on column crucible.jobs.kind is 'export, archive, restore or reprice';
comment on column crucible.jobs.progress is 'From 0 to 1';
comment on column crucible.jobs.state is
    'A running one whose updated_at is older than five minutes has nobody who runs it any more';
comment on column crucible.jobs.collector is 'Which collector runs it: host and data directory';
comment on column crucible.jobs.asked_by is 'Name of the API key that it was asked for with; empty: none';
comment on column crucible.jobs.request is 'What was asked for, without secrets';
comment on column crucible.jobs.report is 'What there is to tell so far, in the end of all of it';
comment on column crucible.jobs.error is 'Why it failed, in a sentence';
