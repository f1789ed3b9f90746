-- Which spans (s) are exported?
-- No index of its own: included where the query around it has chosen one.
    and (%(event)s::text is null or s.event_name = %(event)s)
    and (%(model)s::text is null or s.model = %(model)s)
    and (%(status)s::text is null or s.status_code = array_position(array['unset', 'ok', 'error'], %(status)s) - 1)
