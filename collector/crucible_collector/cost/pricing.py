"""Which price each call has: by its provider, its model and its time, for many calls at once.

A name is looked up once (up to a millisecond) and remembered with all the prices that it ever had, so that
a window costs a look into a dictionary for each pair of names, and sums in columns.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crucible_collector.batch import F64, I64, Bool
from crucible_collector.cost import price_list
from crucible_collector.cost.price_table import PricedModel, PriceTable
from crucible_collector.cost.rates import Rate, Tokens, costs_usd

NAMES_MAX = 4096
# A hostile window has as many names as calls, and looking these up would take minutes.
NEW_NAMES_MAX = 256

_DAY_NS = 86_400_000_000_000
_EPOCH = dt.date(1970, 1, 1)
_NONE = -1


@dataclass(frozen=True, slots=True)
class Source:
    """Where a price is from, and what it is."""

    rate: Rate
    provider: str  # as the list has it; of the user's table as that has it, or empty
    model: str
    table_entry: str = ""  # name of the user's price; empty: the list's


@dataclass(frozen=True, slots=True)
class Named:
    """All prices that one name had, by day and time of day (UTC)."""

    days_ns: I64  # from which on the next row holds
    times_ns: I64  # of a day, from which on the next column holds
    sources: tuple[tuple[Source | None, ...], ...]  # (days + 1, times + 1)

    @property
    def is_priced(self) -> bool:
        """Whether it ever had a price."""
        return any(source is not None for row in self.sources for source in row)

    def source(self, at: dt.datetime) -> Source | None:
        """Of a call at that time."""
        since = at.astimezone(dt.UTC) - dt.datetime.fromtimestamp(0, dt.UTC)
        time_ns = np.array([since // dt.timedelta(microseconds=1) * 1000], np.int64)
        day, time = self._places(time_ns)
        return self.sources[int(day[0])][int(time[0])]

    def places(self, time_ns: I64) -> I64:
        """Where in the rows of `sources`, one after the other, each time lies."""
        day, time = self._places(time_ns)
        place: I64 = day * (len(self.times_ns) + 1) + time
        return place

    def _places(self, time_ns: I64) -> tuple[I64, I64]:
        day = np.searchsorted(self.days_ns, time_ns, side="right")
        return day, np.searchsorted(self.times_ns, time_ns % _DAY_NS, side="right")


@dataclass(frozen=True, slots=True)
class CallNames:
    """How some calls name who answered: the model that did, and that which was asked for."""

    provider: str | None
    models: tuple[str, ...]  # the one that counts most first; at least one


class Pricing:
    """Prices calls by a table and the list; one thread uses it."""

    def __init__(self, table: PriceTable | None = None) -> None:
        self.table = PriceTable.parse({}) if table is None else table
        self._known: OrderedDict[tuple[str | None, str], Named] = OrderedDict()

    def named(self, provider: str | None, model: str) -> Named:
        """All prices of a model at a provider, who may be none."""
        key = (provider, model)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = _look_up(self.table, provider, model)
            if len(self._known) > NAMES_MAX:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return found

    def source(self, names: CallNames, at: dt.datetime) -> Source | None:
        """The price of a call at a time: that of the first of its models that has one then."""
        for model in names.models:
            if (found := self.named(names.provider, model).source(at)) is not None:
                return found
        return None

    def costs(
        self,
        names: Sequence[CallNames],
        of: I64,
        time_ns: I64,
        tokens: Tokens,
        *,
        look_up_all: bool = False,
    ) -> tuple[F64, Bool]:
        """What each call costs in US dollars, 0 where it has no price, and whether it has one.

        `of` says which of `names` each call has, `time_ns` when it was made. Beyond NEW_NAMES_MAX names
        that were not seen before have no price, unless `look_up_all`.
        """
        rates: list[Rate] = []
        rate = np.full(len(of), _NONE, np.int64)
        new_left = len(names) * 2 if look_up_all else NEW_NAMES_MAX
        order = np.argsort(of, kind="stable")
        ends = np.searchsorted(of[order], np.arange(len(names) + 1))
        for place, each in enumerate(names):
            rows = order[ends[place] : ends[place + 1]]
            for model in each.models:
                if (each.provider, model) not in self._known:
                    new_left -= 1
                    if new_left < 0:
                        break
                self._choose(self.named(each.provider, model), rows, time_ns, rates, rate)
        there = rate != _NONE
        usd = np.zeros(len(of))
        at = np.flatnonzero(there)
        if len(at):
            usd[at] = costs_usd(rates, rate[at], _only(tokens, at))
        return usd, there

    def _choose(self, named: Named, rows: I64, time_ns: I64, rates: list[Rate], rate: I64) -> None:
        """Give those of the rows that have no rate yet theirs."""
        rows = rows[rate[rows] == _NONE]
        if not len(rows) or not named.is_priced:
            return
        sources = [source for row in named.sources for source in row]
        number = np.full(len(sources), _NONE, np.int64)
        for place, source in enumerate(sources):
            if source is not None:
                number[place] = len(rates)
                rates.append(source.rate)
        rate[rows] = number[named.places(time_ns[rows])]


def _only(tokens: Tokens, at: I64) -> Tokens:
    return Tokens(
        tokens.input[at],
        tokens.output[at],
        tokens.cache_read[at],
        tokens.cache_write[at],
        tokens.reasoning[at],
    )


def _look_up(table: PriceTable, provider: str | None, model: str) -> Named:
    entries = [each for each in table.models if each.fits(provider, model)]
    listed = price_list.find(provider, model)
    days = {day for each in entries for day in (each.from_day, each.until) if day is not None}
    times: tuple[dt.time, ...] = ()
    if listed is not None:
        days.update(listed.starts)
        times = listed.times
    begins = sorted(days)
    sources = tuple(
        tuple(_source(entries, listed, day, time) for time in (dt.time(0), *times))
        for day in (dt.date.min, *begins)
    )
    return Named(
        np.array([(day - _EPOCH).days * _DAY_NS for day in begins], np.int64),
        np.array([_of_day_ns(time) for time in times], np.int64),
        sources,
    )


def _source(
    entries: Sequence[PricedModel], listed: price_list.Listed | None, day: dt.date, time: dt.time
) -> Source | None:
    """What holds at the beginning of a stretch of days, and of a stretch of each of them."""
    entry = next((each for each in entries if each.holds_on(day)), None)
    if entry is not None:
        told = entry.match or entry.prefix or ""
        return Source(entry.rate, entry.provider or "", told, entry.name)
    rate = None if listed is None else listed.rate(dt.datetime.combine(day, time, dt.UTC))
    if rate is None or listed is None:
        return None
    return Source(rate, listed.provider.id, listed.model.id)


def _of_day_ns(time: dt.time) -> int:
    seconds = (time.hour * 60 + time.minute) * 60 + time.second
    return (seconds * 1_000_000 + time.microsecond) * 1000
