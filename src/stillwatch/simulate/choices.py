"""What is decided for each exchange before anything is written: workload, payload, address, client.

Every decision is hashed from the account, the conversation or the group that it belongs to, so that it
comes out the same in each exchange of a conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.simulate import networks
from stillwatch.simulate.addresses import Uplinks, pick, uplinks
from stillwatch.simulate.dice import Seeds, below, choose, derive, name_seed, unit
from stillwatch.simulate.population import Catalogue, Sharing
from stillwatch.simulate.recipes import RECIPES
from stillwatch.simulate.roster import Roster
from stillwatch.simulate.schedule import Slots, Stream
from stillwatch.simulate.tempo.arrivals import DAY, Integers
from stillwatch.simulate.window import Window

RECIPE_NAMES: Final = tuple(RECIPES)
MODEL_NAMES: Final = (*(name for name, _ in networks.MODELS), networks.NEWEST_MODEL)
_MODEL_WEIGHTS: Final = [weight for _, weight in networks.MODELS]
_RELEASE: Final = 0.6  # of the window: when the newest model comes out
_ADOPTION: Final = 0.3
_PIVOTED: Final = 0.55
_LOYALTY: Final = 0.85  # share of conversations with the account's usual model


class Choices(NamedTuple):
    """One item per exchange."""

    recipe: Integers  # index into RECIPE_NAMES
    payload: Seeds
    shared: Seeds  # of the parts of the prompt that others have too
    address: npt.NDArray[np.uint32]
    asn: npt.NDArray[np.int32]
    client: Integers  # index into Chooser.agents
    key: Integers  # number of the account's key
    model: Integers  # index into MODEL_NAMES
    banned: npt.NDArray[np.bool_]
    silent: npt.NDArray[np.bool_]  # the client sends no conversation id


class Chooser:
    """Decides for the streams of one world; holds what is the same for all blocks."""

    def __init__(self, seed: int, window: Window, streams: Sequence[Stream]) -> None:
        self._seed, self._window, self._streams = seed, window, streams
        networked = [(s.roster, s.traffic.network or s.roster.population.network) for s in streams]
        self._links: list[Uplinks] = [uplinks(roster, network) for roster, network in networked]
        own = [name for s in streams for name in s.roster.population.clients]
        self.agents: tuple[str, ...] = tuple(dict.fromkeys([*networks.CLIENTS, *own]))

    def choose(self, slots: Slots) -> Choices:
        """Return the decisions for one block."""
        columns: list[npt.NDArray[Any]] = []
        for number in np.unique(slots.stream):
            rows = np.flatnonzero(slots.stream == number)
            decided: tuple[npt.NDArray[Any], ...] = self._decide(self._streams[int(number)], slots.take(rows))
            columns = columns or [np.zeros(len(slots.time), dtype=values.dtype) for values in decided]
            for column, values in zip(columns, decided, strict=True):
                column[rows] = values
        return Choices(*columns)

    def _decide(self, stream: Stream, slots: Slots) -> Choices:
        roster, traffic = stream.roster, stream.traffic
        account = slots.account - roster.first
        person = roster.crew.seed[account]
        names, weights = zip(*traffic.recipes, strict=True)
        workload = choose(derive(_by(traffic.recipe_per, roster, account, slots), 31), weights)
        recipe = np.array([RECIPE_NAMES.index(name) for name in names])[workload]
        network = traffic.network or roster.population.network
        place = pick(self._links[stream.number], account, _by(network.turnover, roster, account, slots))
        return Choices(
            recipe=recipe,
            payload=_payload(traffic.catalogue, roster, account, slots),
            shared=self._shared(recipe, roster, account, slots),
            address=place.address,
            asn=place.asn,
            client=self._client(roster, account, slots),
            key=below(derive(slots.seed, 33), roster.population.keys),
            model=self._model(roster, account, slots),
            banned=slots.time >= roster.banned[account],
            silent=unit(derive(person, 34)) < 0.5,
        )

    def _shared(self, recipe: Integers, roster: Roster, account: Integers, slots: Slots) -> Seeds:
        shared = slots.seed.copy()
        for number in np.unique(recipe):
            rows = np.flatnonzero(recipe == number)
            shared[rows] = self._wording(RECIPE_NAMES[int(number)], roster, account[rows], slots.take(rows))
        return shared

    def _wording(self, name: str, roster: Roster, account: Integers, slots: Slots) -> Seeds:
        """Return the seed of a recipe's shared parts; dialects word the same recipe differently."""
        recipe = RECIPES[name]
        if recipe.sharing is not Sharing.EVERYONE:
            return derive(_by(recipe.sharing, roster, account, slots), name_seed(name))
        base = name_seed(self._seed, name, roster.population.dialect)
        return derive(base, below(derive(roster.crew.seed[account], 35), recipe.variants))

    def _client(self, roster: Roster, account: Integers, slots: Slots) -> Integers:
        population = roster.population
        names = population.clients or tuple(networks.CLIENTS)
        numbers = np.array([self.agents.index(name) for name in names])
        return numbers[below(derive(_by(population.client_per, roster, account, slots), 32), len(names))]

    def _model(self, roster: Roster, account: Integers, slots: Slots) -> Integers:
        usual = choose(derive(roster.crew.seed[account], 36), _MODEL_WEIGHTS)
        other = choose(derive(slots.seed, 38), _MODEL_WEIGHTS)
        model = np.where(unit(derive(slots.seed, 37)) < _LOYALTY, usual, other)
        pivot = roster.population.pivot
        since, share = (_RELEASE, _ADOPTION) if pivot is None else (pivot, _PIVOTED)
        newest = (slots.time >= self._window.at(since)) & (unit(derive(slots.seed, 39)) < share)
        return np.where(newest, len(_MODEL_WEIGHTS), model)


def _by(sharing: Sharing, roster: Roster, account: Integers, slots: Slots) -> Seeds:
    """Return the seed that decides what is chosen once per ``sharing``."""
    if sharing is Sharing.EXCHANGE:
        return derive(slots.seed, slots.turn)
    if sharing is Sharing.CONVERSATION:
        return slots.seed
    if sharing is Sharing.ACCOUNT:
        return roster.crew.seed[account]
    return roster.shared_seed(sharing, "choice")[account]


def _payload(catalogue: Catalogue | None, roster: Roster, account: Integers, slots: Slots) -> Seeds:
    """Return the seed of each conversation's texts: new ones, or items of a list."""
    if catalogue is None:
        return slots.seed
    shelf = _by(catalogue.sharing, roster, account, slots)
    if catalogue.weekly:
        shelf = derive(shelf, slots.time // (7 * DAY))
    return derive(shelf, below(derive(slots.seed, 40), catalogue.items))
