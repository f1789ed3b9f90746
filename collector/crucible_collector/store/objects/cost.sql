-- What are the relations of costs, for who looks at them in SQL?

comment on table crucible.price_settings is
    'The user''s prices, version by version; the newest is in force for every collector';
comment on column crucible.price_settings.version is 'Rises with every change: its key';
comment on column crucible.price_settings.changed_at is 'When, by the database''s clock, UTC';
comment on column crucible.price_settings.origin is 'file: a settings file said so; api: somebody did';
comment on column crucible.price_settings.changed_by is 'Who, as they said; empty: nobody did';
comment on column crucible.price_settings.reason is 'Why, as they said; empty: nobody did';
comment on column crucible.price_settings.settings is 'The prices, as PUT /api/v1/cost/prices takes them';
comment on column crucible.price_settings.digest is 'Of the prices: the same for the same prices';
comment on table crucible.budgets is 'How much an experiment may cost a day (UTC) before somebody is told';
comment on column crucible.budgets.usd_per_day is 'US dollars; a warning from 80 % on, critical from all of it';
comment on column crucible.budgets.changed_at is 'When, by the database''s clock, UTC';
comment on column crucible.budgets.experiment_id is 'Empty: every experiment that has no row of its own';
comment on column crucible.budgets.changed_by is 'Who, as they said; empty: nobody did';
comment on column crucible.budgets.reason is 'Why, as they said; empty: nobody did';
