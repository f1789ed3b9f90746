-- By what else than time are rows of a roll-up of spans grouped?
-- No index: included in an array. What is not asked for is null, the same for all rows.
        case %(group_1)s::text
            when 'experiment' then experiment_id
            when 'run' then run_id
            when 'event' then event_name
            when 'model' then model
            when 'status' then (array['unset', 'ok', 'error'])[status_code + 1]
        end,
        case %(group_2)s::text
            when 'experiment' then experiment_id
            when 'run' then run_id
            when 'event' then event_name
            when 'model' then model
            when 'status' then (array['unset', 'ok', 'error'])[status_code + 1]
        end,
        case %(group_3)s::text
            when 'experiment' then experiment_id
            when 'run' then run_id
            when 'event' then event_name
            when 'model' then model
            when 'status' then (array['unset', 'ok', 'error'])[status_code + 1]
        end,
        case %(group_4)s::text
            when 'experiment' then experiment_id
            when 'run' then run_id
            when 'event' then event_name
            when 'model' then model
            when 'status' then (array['unset', 'ok', 'error'])[status_code + 1]
        end
