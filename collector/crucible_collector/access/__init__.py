"""Who may do what: API keys, their scopes, rates, and what they changed; `principal` is who asks."""
