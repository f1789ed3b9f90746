"""Prices as arrays: one row a price, in US dollars a million tokens, by steps of the prompt's length.

What a reader could not guess: a price of which the list says nothing is that of what it is part of, as
genai-prices has it. Cached tokens are input, and reasoning tokens output, unless they have a price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crucible_collector.batch import F64, I64

PER_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens of each kind cost, US dollars a million; `request_usd` is added to each call."""

    input_usd: float
    output_usd: float
    cache_read_usd: float
    cache_write_usd: float
    reasoning_usd: float
    request_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Rate:
    """A price, and those that all tokens of a call have whose prompt is longer than a step."""

    base: Price
    steps: tuple[tuple[int, Price], ...] = ()  # (tokens of the prompt, price beyond), ascending

    def at(self, input_tokens: int) -> Price:
        """The price of a call with so many tokens in its prompt."""
        return next(
            (price for start, price in reversed(self.steps) if input_tokens > start), self.base
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """What calls used, one value each.

    `input` holds what came from the cache and went into it, `output` what was reasoned, by the conventions
    of OpenTelemetry and OpenInference alike. Where the parts are more than the whole they cannot be parts of it: they are taken to stand beside it,
    as some providers' own numbers do.
    """

    input: F64
    output: F64
    cache_read: F64
    cache_write: F64
    reasoning: F64

    @classmethod
    def of(cls, *counts: I64) -> Tokens:
        """From integers in the order of the fields."""
        return cls(*(np.asarray(each, np.float64) for each in counts))


def costs_usd(rates: Sequence[Rate], rate: I64, tokens: Tokens) -> F64:
    """What each call costs in US dollars; `rate` is its place in `rates`, of which there is at least one."""
    cached = tokens.cache_read + tokens.cache_write
    whole_input = np.where(cached > tokens.input, tokens.input + cached, tokens.input)
    is_beside = tokens.reasoning > tokens.output
    whole_output = np.where(is_beside, tokens.output + tokens.reasoning, tokens.output)
    starts, prices = _arrays(rates)
    step = (whole_input[:, np.newaxis] > starts[rate]).sum(axis=1)
    price = prices[rate, step]
    counts = (
        whole_input - cached,
        whole_output - tokens.reasoning,
        tokens.cache_read,
        tokens.cache_write,
        tokens.reasoning,
    )
    total = price[:, 5].copy() * PER_MILLION
    for place, count in enumerate(counts):
        total += price[:, place] * count
    found: F64 = total / PER_MILLION
    return found


def _arrays(rates: Sequence[Rate]) -> tuple[F64, F64]:
    """Where steps begin, (rates, steps), infinite where there are no more; prices, (rates, steps + 1, 6)."""
    most = max(len(each.steps) for each in rates)
    starts = np.full((len(rates), most), np.inf)
    prices = np.zeros((len(rates), most + 1, 6))
    for row, rate in enumerate(rates):
        for place, price in enumerate((rate.base, *(each for _, each in rate.steps))):
            prices[row, place] = (
                price.input_usd,
                price.output_usd,
                price.cache_read_usd,
                price.cache_write_usd,
                price.reasoning_usd,
                price.request_usd,
            )
        for place, (start, _) in enumerate(rate.steps):
            starts[row, place] = start
    return starts, prices
