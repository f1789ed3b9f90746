-- What the registry's aliases need: the name under which something was sent stays beside its own. And
-- runs within runs, and records that the settings leave out.
-- No index: none of these is asked for by itself. The columns are null, and cost nothing, wherever a
-- record was sent under its own name.

alter table crucible.spans add column original_event_name text collate "C";

alter table crucible.logs add column original_event_name text collate "C";

alter table crucible.series add column original_metric text collate "C";

alter table crucible.runs add column parent_run_id text collate "C";

alter table crucible.ledger
    drop constraint ledger_outcome_check,
    add constraint ledger_outcome_check
        check (outcome in ('received', 'stored', 'rejected', 'duplicate', 'filtered'));
