-- Experiments that are made and led over REST: what nothing that is sent tells of them.

alter table crucible.experiments
    add column described_at timestamptz,
    add column sample_size bigint check (sample_size > 0);

-- Pauses that were asked for over REST; those that an experiment's own process tells of are not among them.
create table crucible.experiment_pauses (
    paused_at timestamptz not null default now(),
    ended_at timestamptz,
    experiment_id text collate "C" not null,
    reason text,
    paused_by text not null default '',
    primary key (experiment_id, paused_at)
);
