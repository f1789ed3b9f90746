-- By what else than time are outcomes grouped?
-- No index: included in an array. What is not asked for is null, the same for all rows.
            case %(group_1)s::text
                when 'experiment' then known.experiment_id
                when 'run' then known.run_id
                when 'condition' then known.condition
                when 'event' then known.event_name
                when 'model' then known.model
            end,
            case %(group_2)s::text
                when 'experiment' then known.experiment_id
                when 'run' then known.run_id
                when 'condition' then known.condition
                when 'event' then known.event_name
                when 'model' then known.model
            end,
            case %(group_3)s::text
                when 'experiment' then known.experiment_id
                when 'run' then known.run_id
                when 'condition' then known.condition
                when 'event' then known.event_name
                when 'model' then known.model
            end,
            case %(group_4)s::text
                when 'experiment' then known.experiment_id
                when 'run' then known.run_id
                when 'condition' then known.condition
                when 'event' then known.event_name
                when 'model' then known.model
            end
