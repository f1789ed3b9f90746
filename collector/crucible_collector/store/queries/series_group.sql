-- By what are the points of a series (s, of run u, with resource r) grouped?
-- No index: included in an array. What is not asked for is null, the same for all series.
        case %(group_1)s::text
            when 'experiment' then s.experiment_id
            when 'run' then s.run_id
            when 'condition' then u.condition
            when 'event' then s.event_name
            when 'rank' then s.rank::text
            when 'service' then r.service_name
            when 'attribute' then s.attributes ->> %(name_1)s::text
            when 'resource' then r.attributes ->> %(name_1)s::text
        end,
        case %(group_2)s::text
            when 'experiment' then s.experiment_id
            when 'run' then s.run_id
            when 'condition' then u.condition
            when 'event' then s.event_name
            when 'rank' then s.rank::text
            when 'service' then r.service_name
            when 'attribute' then s.attributes ->> %(name_2)s::text
            when 'resource' then r.attributes ->> %(name_2)s::text
        end,
        case %(group_3)s::text
            when 'experiment' then s.experiment_id
            when 'run' then s.run_id
            when 'condition' then u.condition
            when 'event' then s.event_name
            when 'rank' then s.rank::text
            when 'service' then r.service_name
            when 'attribute' then s.attributes ->> %(name_3)s::text
            when 'resource' then r.attributes ->> %(name_3)s::text
        end,
        case %(group_4)s::text
            when 'experiment' then s.experiment_id
            when 'run' then s.run_id
            when 'condition' then u.condition
            when 'event' then s.event_name
            when 'rank' then s.rank::text
            when 'service' then r.service_name
            when 'attribute' then s.attributes ->> %(name_4)s::text
            when 'resource' then r.attributes ->> %(name_4)s::text
        end
