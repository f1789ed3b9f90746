"""Adapters: what a framework tells its callbacks becomes a training, its epochs and its batches.

One module a framework, none of which is imported until you or `crucible.instrument()` ask for it:
`lightning`, `transformers`, `keras`, `torch` (loaders and loops of one's own; `gradients` for its
optimisers), `sklearn` (fits and `partial_fit`; `sklearn_search` for searches), `kedro`, and `logger` for
trainers that take a logger. They share `callbacks`, which is also what a loop with callbacks of its own
is given, `metric_names`, which makes `train_loss_step`, `eval_loss` and `val/acc` one set of names,
`watched`, which puts a method of one object under watch, and `past`, which tells of what is over.

An adapter changes nothing: not what a framework returns, draws at random, calls or in which order.
"""
