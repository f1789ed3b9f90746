"""Adapters: what a framework tells its callbacks becomes a training, its epochs and its batches.

One module a framework, none of which is imported until you or `crucible.instrument()` ask for it:
`lightning`, `transformers`, `keras`, `torch` (loaders, optimisers and loops of one's own),
`sklearn` (fits, `partial_fit` and searches), `kedro`, and `logger` for trainers that take a logger.
They share `callbacks`, which is also what a loop with callbacks of its own is given, `metric_names`,
which makes `train_loss_step`, `eval_loss` and `val/acc` one set of names, and `watched`, which puts
a method of one object under watch.

An adapter changes nothing: not what a framework returns, draws at random, calls or in which order.
"""
