"""Comparing conditions: which is better, by how much, how sure; numbers go in, no database is asked.

In the order in which a comparison meets them: `samples` are the numbers of a condition, one a unit,
weighted where rows were sampled; `better` says which way a metric improves; `choice` which test is made,
and why; `means`, `ranks` and `rates` make it; `effects` say how much it is, with intervals, `resampling`
gives one by bootstrap, and `power` says what would have been seen at all; `pairs` puts the two sides of one
comparison together and `comparison` all of a metric's; `corrections` see to it that many comparisons are not
found different by their number; `verdicts` put it in words.

Every p-value is scipy's, or one of a statistic whose weighted form `means` and `rates` give.
"""

from crucible_collector.compare.better import lower_is_better
from crucible_collector.compare.comparison import Asked, Compared, compare, settle
from crucible_collector.compare.pairs import Pair
from crucible_collector.compare.samples import Sample

__all__ = ["Asked", "Compared", "Pair", "Sample", "compare", "lower_is_better", "settle"]
