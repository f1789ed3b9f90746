-- In which order do groups come, and how is one found again?
-- No index: included in a select list. Arrays compare like columns, with nulls last and equal to each other.
        array[
            crucible.rfc3339(time, 0::smallint), experiment_id, run_id, event_name, model,
            (array['unset', 'ok', 'error'])[status_code + 1]
        ] collate "C" as key
