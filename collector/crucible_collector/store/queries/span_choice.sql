-- Which spans are chosen, by identity and by what they carry?
-- No index of its own: included where the query around it has chosen one. Of each list any will do; the paths
-- are predicates of SQL/JSON about the attributes, and about those columns that hold numbers or names.
          and (%(experiments)s::text[] is null or experiment_id = any(%(experiments)s))
          and (%(runs)s::text[] is null or run_id = any(%(runs)s))
          and (%(conditions)s::text[] is null or condition = any(%(conditions)s))
          and (%(events)s::text[] is null or event_name = any(%(events)s))
          and (%(models)s::text[] is null or model = any(%(models)s))
          and (%(statuses)s::smallint[] is null or status_code = any(%(statuses)s))
          and (%(kinds)s::smallint[] is null or kind = any(%(kinds)s))
          and (%(correlations)s::text[] is null or correlation_id = any(%(correlations)s))
          and (
              %(services)s::text[] is null
              or resource_id = any (array(
                  select resource_id from crucible.resources where service_name = any(%(services)s)
              ))
          )
          and (%(attributes_path)s::jsonpath is null or coalesce(attributes, '{}') @@ %(attributes_path)s)
          and (
              %(columns_path)s::jsonpath is null
              or jsonb_strip_nulls(jsonb_build_object(
                  'duration', duration_ns / 1e6::float8, 'cost', nullif(cost_usd, 'nan'), 'step', step,
                  'epoch', epoch, 'input_tokens', input_tokens, 'output_tokens', output_tokens, 'name', name
              )) @@ %(columns_path)s
          )
