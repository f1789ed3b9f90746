-- Which spans, or rows of a roll-up of spans, are counted?
-- No index of its own: included where the query around it has chosen one. An experiment's are those that
-- name it themselves, since a roll-up of latencies knows no runs.
    and (%(experiment)s::text is null or experiment_id = %(experiment)s)
    and (%(event)s::text is null or event_name = %(event)s)
    and (%(model)s::text is null or model = %(model)s)
    and (%(status)s::smallint is null or status_code = %(status)s)
