-- Whose a run is: the experiment that was told of first. Of a run that was stored before this was noted, the one
-- that it has.

alter table crucible.runs
    add column experiment_received_at timestamptz;
