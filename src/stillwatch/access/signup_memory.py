"""Sign-ups as they come: each is judged by those before it, and remembered for those after it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, select

from stillwatch.access import counting
from stillwatch.access.agreement import Floats, agreement, ordinary
from stillwatch.access.burst import GROUP, burst, most_of_a_burst
from stillwatch.access.counting import Counted, Spell
from stillwatch.access.held import SHARING, Value, held, sharing
from stillwatch.access.known import TELLING, closeness
from stillwatch.access.levels import Levels
from stillwatch.access.marks import marks
from stillwatch.access.recurrence import Recurrence
from stillwatch.access.remembering import forget, remember
from stillwatch.access.screening import usual_levels
from stillwatch.access.signs import BURST, KNOWN, NAMES, SHARED, THINGS, Kind, Sign
from stillwatch.access.signup_tables import SIGNUPS
from stillwatch.access.steadiness import MANY, of_two, steady
from stillwatch.access.weighing import THRESHOLD, Evidence, reasons, strongest, weigh
from stillwatch.contracts import SCREENED
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database

_TWO: Final = 2
_MOST_FORGOTTEN: Final = 500  # at once, so that nobody waits for it

Answer = dict[str, Any]
"""A row of SCREENED."""


class SignupMemory:
    """Fingerprints of sign-ups in the database; several threads and processes may use it at once."""

    def __init__(self, database: Database, levels: Levels) -> None:
        """Use a database whose tables are there."""
        self._database, self._levels = database, levels
        self._recurrence = Recurrence()

    def screen(
        self, signups: pa.Table, at: datetime, audit: AuditLog, campaigns: Collection[str] = ()
    ) -> list[Answer]:
        """Judge sign-ups one after the other in order, and remember each; one that came before is replaced.

        A power cut may let the last of them be forgotten, which makes later ones a little less doubtful.

        Args:
            signups: SIGNUP; one without a time has signed up ``at``.
            at: now.
            audit: is told whom more was asked of, before it holds.
            campaigns: accounts of campaigns that are known.

        Raises:
            StoreError: the database is away; nothing was remembered.
        """
        usual = usual_levels(signups, self._levels)
        answers = []
        with self._database.noting() as connection:
            for row, level in zip(range(signups.num_rows), usual.tolist(), strict=True):
                one = signups.slice(row, 1)
                answers.append(self._screen(connection, one, level, at, campaigns))
            asked = [answer for answer in answers if answer["asked_more"]]
            if asked:
                audit.append("signups-asked", {"by": "", "moment": at.isoformat(), "signups": asked})
        return answers

    def known(self, accounts: Collection[str]) -> frozenset[str]:
        """Return which of some accounts are remembered.

        Raises:
            StoreError: the database is away.
        """
        with self._database.reading() as connection:
            named = (select(SIGNUPS.c.account_id).where(SIGNUPS.c.account_id == each) for each in accounts)
            return frozenset(found for one in named for found in connection.execute(one).scalars())

    def forget(self, accounts: Collection[str]) -> int:
        """Forget accounts, and return how many of them were known.

        Raises:
            StoreError: the database is away; nothing was forgotten.
        """
        with self._database.writing() as connection:
            known = sum(forget(connection, account) for account in sorted(accounts))
        self._database.wipe()
        return known

    def expire(self, before: datetime) -> int:
        """Forget some of the sign-ups before a time, and return how many.

        Raises:
            StoreError: the database is away; nothing was forgotten.
        """
        old = select(SIGNUPS.c.account_id).where(SIGNUPS.c.second < int(before.timestamp()))
        with self._database.writing() as connection:
            accounts = connection.execute(old.limit(_MOST_FORGOTTEN)).scalars().all()
            return sum(forget(connection, account) for account in accounts)

    def _screen(
        self, connection: Connection, one: pa.Table, usual: int, at: datetime, campaigns: Collection[str]
    ) -> Answer:
        signup = one.to_pylist()[0]
        second = int((signup["created_at"] or at).timestamp())
        forget(connection, signup["account_id"])
        self._recurrence.one_more()
        values = held(signup)
        evidence, is_sharing = self._gather(connection, signup, values, second, campaigns)
        answer = self._answer(signup["account_id"], evidence | marks(one), usual)
        remember(connection, [*values, *([sharing(signup)] if is_sharing else [])], answer, second, at)
        return answer

    def _answer(self, account_id: str, evidence: Evidence, usual: int) -> Answer:
        evidence = {sign: nats for sign, nats in evidence.items() if nats[0] > 0} or {KNOWN: np.zeros(1)}
        weighed = weigh(evidence)
        doubted = bool(weighed.asked(THRESHOLD)[0])
        level = max(usual, int(self._levels.doubtful)) if doubted else usual
        columns = (account_id, float(weighed.risk(THRESHOLD)[0]), reasons(evidence)[0], level, level > usual)
        return dict(zip(SCREENED.names, columns, strict=True))

    def _gather(
        self,
        connection: Connection,
        signup: Mapping[str, Any],
        values: Sequence[Value],
        second: int,
        campaigns: Collection[str],
    ) -> tuple[dict[Sign, Floats], bool]:
        """Return what each sign says, and whether it shares things with others of its spell."""
        spell = counting.spell_of(connection, second)
        counted = counting.count(connection, [*values, sharing(signup)], second)
        company = max((counted[sign.column].others for sign in THINGS), default=0)
        evidence = self._weigh(connection, counted, spell, SHARED)
        if company >= GROUP:
            alike = self._alike(connection, counted, company, spell)
            most = most_of_a_burst(evidence, alike)
            evidence[BURST] = np.minimum(_burst(counted[SHARING], company, spell), most)
        evidence |= self._steady(connection, counted, spell, evidence)
        if campaigns:
            evidence[KNOWN] = _near(connection, values, campaigns, spell)
        return evidence, company >= GROUP

    def _weigh(
        self, connection: Connection, counted: Mapping[str, Counted], spell: Spell, signs: Sequence[Sign]
    ) -> dict[Sign, Floats]:
        """Weigh signs at once; of a value that it does not hold nobody was counted."""
        own = [counted[sign.column] for sign in signs]
        others = np.array([each.others for each in own], np.int64)
        elsewhere = np.array([each.elsewhere for each in own], np.int64)
        recurring = np.array([self._recurrence.of(connection, sign.column) for sign in signs])
        things = np.array([sign.kind is Kind.THING for sign in signs])
        among = np.where(things, spell.others + spell.elsewhere - others, spell.elsewhere + 1)
        nats = agreement(others, ordinary(elsewhere, recurring, np.array(spell.others), among))
        return {sign: nats[place : place + 1] for place, sign in enumerate(signs)}

    def _alike(
        self, connection: Connection, counted: Mapping[str, Counted], company: int, spell: Spell
    ) -> Floats:
        """Weigh the names of those whose things are not the sign-up's own."""
        strangers = {
            sign.column: counted[sign.column]._replace(others=max(counted[sign.column].others - company, 0))
            for sign in NAMES
        }
        return strongest(self._weigh(connection, strangers, spell, NAMES), Kind.NAME)

    def _steady(
        self, connection: Connection, counted: Mapping[str, Counted], spell: Spell, evidence: Evidence
    ) -> dict[Sign, Floats]:
        """Return what things of many holders say, where that is more."""
        if sum(sum(counted[sign.column]) + 1 >= MANY for sign in THINGS) < _TWO:
            return {}
        told = list[Floats]()
        for sign in THINGS:
            others, holders = np.array([counted[sign.column].others]), sum(counted[sign.column]) + 1
            among = np.array([spell.others + spell.elsewhere - counted[sign.column].others])
            again = self._recurrence.of(connection, sign.column)
            expected = ordinary(np.zeros(1, np.int64), again, np.array([spell.others]), among)
            rare = (np.array([each]) for each in self._recurrence.as_many(connection, sign.column, holders))
            told.append(steady(others, np.array([holders]), expected, *rare))
        return {
            sign: np.maximum(evidence[sign], nats) for sign, nats in zip(THINGS, of_two(told), strict=True)
        }


def _near(
    connection: Connection, values: Sequence[Value], campaigns: Collection[str], spell: Spell
) -> Floats:
    telling = {sign.column for sign in TELLING}
    found = counting.holders(connection, [value for value in values if value.sign in telling])
    share = min(1.0, (len(campaigns) + 1) / (spell.others + spell.elsewhere + 1))
    nats = np.zeros(1)
    for accounts in found.values():
        members = np.array([sum(account in campaigns for account in accounts)])
        nats = np.maximum(nats, closeness(members, np.array([len(accounts)]), share))
    return nats


def _burst(counted: Counted, company: int, spell: Spell) -> Floats:
    others = np.array([max(counted.others - company, 0)])
    elsewhere, signups, reference = (
        np.array([each]) for each in (counted.elsewhere, spell.others, spell.elsewhere)
    )
    return burst(others, elsewhere, signups, reference)
