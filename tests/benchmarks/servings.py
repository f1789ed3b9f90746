"""A language model that serves: trained here on what a Markov chain says, then asked.

How many tokens an answer has comes of the model; what a token takes and costs is said here, and the clock
is simulated: requests come at random times and wait for the one before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.networks import F64, I64, Adam, Dense, Network, Relu, cross_entropy, probabilities

REQUESTS = 3000
TOKENS = 12  # the last one ends an answer
END = TOKENS - 1
ANSWER_MAX = 200
PROMPT_MEAN = 60.0
TOKEN_S, PROMPT_TOKEN_S = 0.008, 0.0002
JITTER = 0.1
PER_S = 2.0  # requests; half of what can be served
USD_PER_TOKEN, USD_PER_PROMPT_TOKEN = 1.5e-5, 3e-6


@dataclass(frozen=True, slots=True)
class Fault:
    """From request `at` on."""

    at: int
    slowness: float = 1.0  # tokens take so many times as long: a device that throttles
    never_ends: bool = False  # the model's end of an answer is not recognised


KINDS: dict[str, Callable[[int], Fault]] = {
    "latency shift": lambda at: Fault(at, slowness=3.0),
    "cost burst": lambda at: Fault(at, never_ends=True),
}


@dataclass(slots=True)
class Served:
    """One entry a request, in the order in which they ended."""

    end_s: F64
    by_metric: dict[str, F64]


def chain(rng: np.random.Generator) -> F64:
    """Odds of the next token by the last one; an answer ends after 25 on average."""
    odds = rng.dirichlet(np.full(TOKENS - 1, 0.5), TOKENS)
    found: F64 = np.hstack([odds * 0.96, np.full((TOKENS, 1), 0.04)])
    return found


def trained(rng: np.random.Generator, odds: F64) -> Network:
    """A network that has learned the chain from what it said."""
    network = Network([Dense(rng, TOKENS, 24), Relu(), Dense(rng, 24, TOKENS)])
    optimiser = Adam()
    for _ in range(600):
        last = rng.integers(0, TOKENS - 1, 128)
        _, _, g = cross_entropy(network.forward(_one_hot(last)), drawn(rng, odds[last]))
        optimiser.step(network.weights, network.gradients(g), 5e-3)
    return network


def _one_hot(tokens: I64) -> F64:
    return np.eye(TOKENS)[tokens]


def drawn(rng: np.random.Generator, odds: F64) -> I64:
    """One token a row."""
    found: I64 = (odds[:, :-1].cumsum(axis=1) < rng.random((len(odds), 1))).sum(axis=1)
    return found


def lengths(rng: np.random.Generator, network: Network, never_ends: F64) -> I64:
    """Tokens of the answers, one an entry of `never_ends`."""
    last = rng.integers(0, TOKENS - 1, len(never_ends))
    length = np.zeros(len(last), np.int64)
    goes_on = np.ones(len(last), np.bool_)
    for _ in range(ANSWER_MAX):
        length += goes_on
        odds = probabilities(network.forward(_one_hot(last)))
        odds[never_ends > 0, END] = 0.0
        last = drawn(rng, odds / odds.sum(axis=1, keepdims=True))
        goes_on &= last != END
        last = np.minimum(last, END - 1)
    return length


def serve(seed: int, fault: Fault | None = None, requests: int = REQUESTS) -> Served:
    """Train a model and have it answer."""
    rng = np.random.default_rng([seed, 6])
    network = trained(rng, chain(rng))
    fault = fault or Fault(requests)
    is_faulty = np.arange(requests) >= fault.at
    prompt = 1 + rng.poisson(PROMPT_MEAN, requests)
    tokens = lengths(rng, network, (is_faulty & fault.never_ends).astype(np.float64))
    slowness = np.where(is_faulty, fault.slowness, 1.0)
    work_s = PROMPT_TOKEN_S * prompt + TOKEN_S * tokens
    work_s = work_s * slowness * rng.lognormal(0.0, JITTER, requests)
    come_s = rng.exponential(1.0 / PER_S, requests).cumsum()
    end_s = np.empty(requests)
    free_s = -math.inf
    for row in range(requests):
        free_s = max(free_s, come_s[row]) + work_s[row]
        end_s[row] = free_s
    by_metric = {
        "duration_ms": 1e3 * (end_s - come_s),
        "cost_usd": USD_PER_PROMPT_TOKEN * prompt + USD_PER_TOKEN * tokens,
        "tokens_per_second": tokens / work_s,
    }
    return Served(end_s, by_metric)
