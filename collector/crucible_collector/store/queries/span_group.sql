-- By what else than time are numbers of spans grouped?
-- No index: included in an array. What is not asked for is null, the same for all rows; a name that was
-- asked for is a constant to the planner, which leaves the other branches out.
            case %(group_1)s::text
                when 'experiment' then s.experiment_id
                when 'run' then s.run_id
                when 'condition' then s.condition
                when 'event' then s.event_name
                when 'model' then s.model
                when 'status' then (array['unset', 'ok', 'error'])[s.status_code + 1]
                when 'kind' then
                    (array['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'])[s.kind + 1]
                when 'service' then r.service_name
                when 'correlation' then s.correlation_id
                when 'epoch' then s.epoch::text
                when 'step' then s.step::text
                when 'name' then s.name
                when 'rank' then coalesce(s.attributes ->> 'crucible.rank', r.attributes ->> 'crucible.rank')
                when 'attribute' then coalesce(
                    s.attributes ->> %(name_1)s::text,
                    case when %(others_1)s::text[] is not null then
                        (select s.attributes ->> other from unnest(%(others_1)s::text[]) other
                         where s.attributes ? other limit 1)
                    end
                )
                when 'resource' then r.attributes ->> %(name_1)s::text
            end,
            case %(group_2)s::text
                when 'experiment' then s.experiment_id
                when 'run' then s.run_id
                when 'condition' then s.condition
                when 'event' then s.event_name
                when 'model' then s.model
                when 'status' then (array['unset', 'ok', 'error'])[s.status_code + 1]
                when 'kind' then
                    (array['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'])[s.kind + 1]
                when 'service' then r.service_name
                when 'correlation' then s.correlation_id
                when 'epoch' then s.epoch::text
                when 'step' then s.step::text
                when 'name' then s.name
                when 'rank' then coalesce(s.attributes ->> 'crucible.rank', r.attributes ->> 'crucible.rank')
                when 'attribute' then coalesce(
                    s.attributes ->> %(name_2)s::text,
                    case when %(others_2)s::text[] is not null then
                        (select s.attributes ->> other from unnest(%(others_2)s::text[]) other
                         where s.attributes ? other limit 1)
                    end
                )
                when 'resource' then r.attributes ->> %(name_2)s::text
            end,
            case %(group_3)s::text
                when 'experiment' then s.experiment_id
                when 'run' then s.run_id
                when 'condition' then s.condition
                when 'event' then s.event_name
                when 'model' then s.model
                when 'status' then (array['unset', 'ok', 'error'])[s.status_code + 1]
                when 'kind' then
                    (array['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'])[s.kind + 1]
                when 'service' then r.service_name
                when 'correlation' then s.correlation_id
                when 'epoch' then s.epoch::text
                when 'step' then s.step::text
                when 'name' then s.name
                when 'rank' then coalesce(s.attributes ->> 'crucible.rank', r.attributes ->> 'crucible.rank')
                when 'attribute' then coalesce(
                    s.attributes ->> %(name_3)s::text,
                    case when %(others_3)s::text[] is not null then
                        (select s.attributes ->> other from unnest(%(others_3)s::text[]) other
                         where s.attributes ? other limit 1)
                    end
                )
                when 'resource' then r.attributes ->> %(name_3)s::text
            end,
            case %(group_4)s::text
                when 'experiment' then s.experiment_id
                when 'run' then s.run_id
                when 'condition' then s.condition
                when 'event' then s.event_name
                when 'model' then s.model
                when 'status' then (array['unset', 'ok', 'error'])[s.status_code + 1]
                when 'kind' then
                    (array['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'])[s.kind + 1]
                when 'service' then r.service_name
                when 'correlation' then s.correlation_id
                when 'epoch' then s.epoch::text
                when 'step' then s.step::text
                when 'name' then s.name
                when 'rank' then coalesce(s.attributes ->> 'crucible.rank', r.attributes ->> 'crucible.rank')
                when 'attribute' then coalesce(
                    s.attributes ->> %(name_4)s::text,
                    case when %(others_4)s::text[] is not null then
                        (select s.attributes ->> other from unnest(%(others_4)s::text[]) other
                         where s.attributes ? other limit 1)
                    end
                )
                when 'resource' then r.attributes ->> %(name_4)s::text
            end
