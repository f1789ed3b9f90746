-- Which runs are there, as they are exported?
-- Leans on runs_experiment_id where an experiment is given, on runs_first_seen for a period.
select
-- include export_run_columns
-- include export_run_rows
-- include export_run_choice
