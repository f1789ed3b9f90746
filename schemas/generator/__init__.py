"""From `registry/*.yaml` to `crucible_schema/events.py` and `REFERENCE.md`, in the order of the work.

`form` holds a YAML mapping to exactly the keys that are asked for; `read` turns files into groups,
`fields` the definitions and references inside them; `resolve` follows `ref`, `extends` and
`events` and checks what no single group can know; `registry` is the result, in the types of
`crucible_schema.definitions`; `python_module` and `reference_page` write it down.
"""
