-- What do a record (s) and its resource (r) have under the attributes that rules ask for, as text?
-- No index of its own: included where the query around it has chosen one.
    case when cardinality(%(attributes)s::text[]) > 0 then array(
        select coalesce(
            s.attributes ->> asked.key,
            case asked.key
                when 'crucible.experiment.id' then s.experiment_id
                when 'crucible.run.id' then s.run_id
                when 'crucible.condition' then s.condition
                when 'crucible.correlation.id' then s.correlation_id
                when 'crucible.step' then s.step::text
                when 'crucible.epoch' then s.epoch::text
            end,
            r.attributes ->> asked.key
        )
        from unnest(%(attributes)s::text[]) with ordinality as asked (key, place)
        order by asked.place
    ) end as attributes
