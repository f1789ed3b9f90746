-- What is there of experiments that are led over REST? Comments, for who looks at it in SQL.

comment on column crucible.experiments.described_at is
    'When somebody described it over REST, UTC: what its own process said before does not count; null: nobody did';
comment on column crucible.experiments.sample_size is 'Runs or samples that it is planned to have; null: nobody said';

comment on table crucible.experiment_pauses is 'One pause of an experiment that was asked for over REST';
comment on column crucible.experiment_pauses.experiment_id is 'Which experiment; see crucible.experiments';
comment on column crucible.experiment_pauses.paused_at is 'When it was paused, UTC';
comment on column crucible.experiment_pauses.ended_at is
    'When it was resumed or stopped, UTC; null: it has not been over REST';
comment on column crucible.experiment_pauses.reason is 'Why, as somebody said';
comment on column crucible.experiment_pauses.paused_by is
    'Name of the API key that it was asked for with; empty: none';
