"""From `registry/*.yaml` and `aliases.yaml` to everything that follows, in the order of the work.

`form` holds a YAML mapping to exactly the keys that are asked for; `read` turns files into groups,
`fields` the definitions and references inside them; `resolve` follows `ref`, `extends` and
`events` and checks what no single group can know; `registry` is the result, in the types of
`crucible_schema.definitions`; `aliases` is the other producers' names. They are written down by
`constants_module`, `catalogue_module` and `aliases_module` for Python, by `reference_page` and
`examples_page` for people, by `json_schema` and `examples` for other languages, laid out by
`layout` and `json_text`.
"""
