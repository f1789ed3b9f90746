-- What are the relations of access, for who looks at them in SQL?

comment on table crucible.api_keys is 'API keys; of the key itself only a hash is kept, and who forgot it makes a new one';
comment on column crucible.api_keys.created_at is 'When it was made, UTC';
comment on column crucible.api_keys.key_id is 'The part of the key that may be told: ct_<key_id>_…';
comment on column crucible.api_keys.name is 'What people call it; of keys that are not revoked each has its own';
comment on column crucible.api_keys.digest is 'SHA-256 of the whole key, whose 256 random bits nobody guesses';
comment on column crucible.api_keys.scopes is 'What it may be used for: ingest, read, write, admin';
comment on column crucible.api_keys.experiment_prefix is
    'Only for experiments whose id begins so; null: for all';
comment on column crucible.api_keys.created_by is 'Name of the key that it was made with, or cli: and a user';
comment on column crucible.api_keys.expires_at is 'From when on it is good for nothing, UTC; null: never';
comment on column crucible.api_keys.revoked_at is 'Since when it is good for nothing, UTC; null: it was not revoked';
comment on column crucible.api_keys.revoked_by is 'Name of the key that it was revoked with, or cli: and a user';
comment on column crucible.api_keys.last_used_at is 'To the minute, and after an outage perhaps not at all, UTC';
comment on column crucible.api_keys.requests_per_minute_max is 'Instead of the setting of that name; null: as that says';
comment on column crucible.api_keys.spans_per_s_max is 'Instead of the setting of that name; null: as that says';
comment on column crucible.api_keys.bytes_per_s_max is 'Instead of the setting of that name; null: as that says';

comment on table crucible.audit is 'What changed something, over REST or by command; rows are kept for 400 days';
comment on column crucible.audit.audit_id is 'In the order in which they were written';
comment on column crucible.audit.happened_at is 'When, UTC';
comment on column crucible.audit.who is 'Name of the API key, empty where none was asked for; of a command cli: and the user';
comment on column crucible.audit.key_id is 'Which key it was, where several had the name in turn';
comment on column crucible.audit.address is 'Where it came from: an IP address, that of a proxy where there is one';
comment on column crucible.audit.method is 'POST, PUT, PATCH or DELETE; COMMAND for a command';
comment on column crucible.audit.path is 'What was changed: the path of the request, or the command';
comment on column crucible.audit.status is 'HTTP status of the answer; null for a command';
comment on column crucible.audit.summary is 'Which fields were given, and the harmless ones as given; no secrets';
