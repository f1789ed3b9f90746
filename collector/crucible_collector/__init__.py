"""The collector: takes OTLP, keeps it, answers questions about it.

The map, in the order in which data meet the modules:

- `receive.admission` lets a request in when there is room for its bytes; `receive.grpc_server` and
  `receive.http_app` are the two transports; `receive.inflate` is where gzip is undone and
  `receive.transcode` where JSON becomes protobuf; `receive.events_bridge` makes OTLP of the events that
  are posted to the API.
- `receive.check` says which records can be stored, by `receive.verdicts` and `receive.limits`;
  `decode.canonical` first makes sure that the bytes can be read at all.
- `journal` keeps the request on disk; after its sync `receive.answers` tells the sender.
- `pipeline.pipeline` writes window after window of the journal; `pipeline.windows` says which comes next,
  `pipeline.prepare` turns it into rows.
- `decode` walks the bytes into the columns of `batch`, and writes attributes as JSON.
- `detect` looks at every number before it is decided what is kept.
- `sample` decides which spans and logs are kept, by the columns of `candidates`, before any row is made.
- `enrich` names events, resources and series, makes points of measurements (where NaN is an ordinary
  value) and collects what a window says about runs; the result is in `rows`.
- `store.window` writes all of it in one transaction, with `store.copy` (the bytes are
  `store.binary_copy`'s) and `store.merge`.
- `store.stalls` notices runs that have fallen silent; `alerts` sends what is to be told of.
- `api` answers over REST and serves the page, by the questions in `store/queries`.
- `simulate` tries sampling rules on what is stored, `scan` detectors; `compare` says which condition is
  better, `cost` what calls of models cost, `export` takes rows away, `archive` puts them away and brings
  them back; what of it takes long is one of the `jobs`, and so is `reprice`, which computes costs anew. `access` says who may,
  and `tls` has the certificates.

`kernels` is how the loops of `decode`, `detect`, `sample` and `store.binary_copy` are compiled, and where
their machine code is kept; `mixing` is how they hash.

Around them: `cli` with its `commands` and `settings` (from `settings_sources`) start it (`retention` reads one of these, `tables` is what those of
sampling and detection are made of), `service` owns the order of starting and stopping, `web_server` runs
an HTTP application in a thread of its own, `store.database` the embedded server, migrations and upkeep, `metrics` what is counted and `scrape` what is asked for
when they are read, `in_process` what the API may ask of a running collector, `answering` how all is put together
that answers, `reach` how a command finds its
database, `errors` what is raised. `doctor` looks at one that runs, by `checkup` (which also answers over REST) with `store.examine`,
and by `canary`, which asks by `dial`, and gives `findings`. A record goes from socket to row and never back; import-linter holds
that.
"""
