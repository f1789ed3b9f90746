"""Who may do what: API keys, their scopes, rates, and what they changed.

`principal` is who asks; `secrets` what an API key looks like, `keyring` which of them are valid, as this
process knows it; `owners` whose the runs are that are sent about; `rates` how much of it a second; `guard` puts these together for whoever listens, and `doors` has one for each listener.
`origins` keeps pages of other sites out of what is done without one.
`scopes` says what each route takes, and `within` how a key for some experiments only is held to them;
`making` is how keys are made and revoked, `changes` what is written down of who changed what, and `command` what `crucible-collector keys` does.
"""
