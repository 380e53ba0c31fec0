"""Every sign as a farm shows it and as honest people do: the one is asked for more, the others are not."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from stillwatch.access.levels import Level, Levels, Need
from stillwatch.access.network_lists import NetworkList, NetworkLists
from stillwatch.access.signs import BURST, DISPOSABLE, KNOWN, LISTED, SHARED, YOUNG

sys.path.insert(0, str(Path(__file__).parent))
from signups_made import DAY, asked, group, people, person, screened


def random_name(place: int) -> str:
    return f"{''.join(chr(97 + (place * 7 + step * step * 5) % 26) for step in range(8))}{place % 9}x{place}q"


def on_cards(of_each: int):
    return lambda place: f"virtual-{place // of_each}"


FARMS = {
    "payment-shared": {"payment_fingerprint": on_cards(8)},
    "device-shared": {"device_fingerprint": "phone farm", "payment_fingerprint": on_cards(8)},
    "phone-shared": {"phone": "+44 20 0000 0000", "payment_fingerprint": on_cards(8)},
    "mailbox-shared": {
        "email": lambda n: f"s.ome.one+{n}@gmail.com",
        "payment_fingerprint": on_cards(8),
    },
    "mail-domain": {
        "email": lambda n: f"anna@h{n * 7919:x}.fresh-mail.example",
        "payment_fingerprint": on_cards(8),
    },
    "serial-names": {"email": lambda n: f"member{101 + n}@outlook.com", "payment_fingerprint": on_cards(8)},
    "generated-names": {
        "email": lambda n: f"{random_name(n)[:10]}@outlook.com",
        "payment_fingerprint": on_cards(8),
    },
    "signup-address": {"signup_ip": "198.51.100.7", "payment_fingerprint": on_cards(8)},
    "signup-network": {"signup_ip": lambda n: f"198.51.100.{n + 1}", "payment_fingerprint": on_cards(8)},
    "programme-abuse": {"programme": "research", "payment_fingerprint": on_cards(8)},
    "signup-burst": {"payment_fingerprint": on_cards(5)},
    "disposable-mail": {
        "email": lambda n: f"anna{n * n}@mailinator.com",
        "payment_fingerprint": on_cards(8),
    },
    "young-domain": {"domain_age_days": 3, "payment_fingerprint": on_cards(8)},
    "hosting-network": {"signup_ip": lambda n: f"203.0.{n}.9", "payment_fingerprint": on_cards(8)},
    "vpn-network": {"signup_ip": lambda n: f"203.1.{n}.9", "payment_fingerprint": on_cards(8)},
    "proxy-network": {"signup_ip": lambda n: f"203.2.{n}.9", "payment_fingerprint": on_cards(8)},
    "campaign-near": {"payment_fingerprint": on_cards(8)},
}
"""Forty accounts of one day each, with the sign that they are to show."""


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    found = []
    for kind, network in (("hosting", "203.0.0.0/16"), ("vpn", "203.1.0.0/16"), ("proxy", "203.2.0.0/16")):
        (folder / kind).write_text(f"# made up\n{network}\n", encoding="utf-8")
        found.append(NetworkList(file=folder / kind, kind=kind))
    return NetworkLists(found)


def test_every_sign_has_a_farm_that_shows_it():
    codes = {sign.code for sign in (*SHARED, BURST, KNOWN, DISPOSABLE, YOUNG, *LISTED.values())}
    assert set(FARMS) == codes


@pytest.mark.parametrize("code", FARMS)
def test_a_farm_is_asked_for_more_and_told_why(code, lists):
    rows = group(40, **FARMS[code])
    known = {row["account_id"] for row in rows[::8]} if code == "campaign-near" else ()
    found = screened(rows, lists=lists, campaigns=known)
    assert asked(found, rows) == 1.0
    named = [code in found[row["account_id"]]["reason_codes"] for row in rows]
    assert sum(named) >= 0.85 * len(rows)  # a known account is near others alone
    assert asked(found, people()) == 0.0


STAFF = {
    "email": lambda n: f"person{n}@firm.example",
    "organization": "Firm Ltd",
    "payment_fingerprint": "company card",
    "signup_ip": "198.51.100.7",
    "plan": "team",
}
CLASS = {
    "email": lambda n: f"s{n}x{n * n}@students.campus.edu",
    "payment_fingerprint": None,
    "signup_ip": "198.51.100.7",
    "programme": "education",
    "plan": "free",
}
HONEST = {
    "a family shares card, device and address on one evening": group(
        4, hours=1, payment_fingerprint="family", device_fingerprint="tablet", signup_ip="198.51.100.7"
    ),
    "a firm brings its people in one go": group(60, hours=3, **STAFF),
    "a class signs up in one lesson": group(60, hours=1, **CLASS),
    "one office, one device for all of them, and a firm that answers": group(
        30, device_fingerprint="kiosk", **STAFF
    ),
    "carrier NAT": [
        person(200_000 + n, DAY + timedelta(days=n * 3 - 200), signup_ip="198.51.100.7") for n in range(120)
    ],
    "a resale station that grows over a year": [
        person(
            200_000 + n,
            DAY + timedelta(days=n * 9 - 300),
            payment_fingerprint=f"resold-{n % 4}",
            email=f"{random_name(n)}@mailinator.com",
        )
        for n in range(40)
    ],
    "a launch day": [person(200_000 + n, DAY + timedelta(minutes=n)) for n in range(400)],
    "a hackathon on one network": group(40, hours=3, signup_ip=lambda n: f"198.51.100.{n + 1}"),
    "people behind a VPN who guard their address": group(
        12, email=lambda n: f"anna{n * n}@mailinator.com", signup_ip=lambda n: f"203.1.{n}.9"
    ),
    "a new firm that declares nothing": group(
        12,
        email=lambda n: f"{'abcdefghijkl'[n]}.smith@new-firm.example",
        domain_age_days=200,
        signup_ip="198.51.100.7",
    ),
    "namesakes": group(15, hours=60, email=lambda n: f"garcia.{'abcdefghijklmno'[n]}{n}@gmail.com"),
    "a tester with tags": group(3, email=lambda n: f"dev+{n}@gmail.com", device_fingerprint="laptop"),
    "students with private mail": group(10, programme="education"),
    "couples who sign up together": group(30, hours=70, payment_fingerprint=on_cards(2)),
    "people of a country that is new to the provider": group(
        40,
        hours=70,
        email=lambda n: f"szczepan{'abcdefgh'[n % 8]}k{n}@gmail.com",
        signup_ip=lambda n: f"198.51.{n}.9",
    ),
}


@pytest.mark.parametrize("case", HONEST)
def test_honest_people_who_show_the_sign_are_asked_for_nothing(case, lists):
    rows = HONEST[case]
    found = screened(rows, lists=lists)
    assert asked(found, rows) == 0.0
    assert max(found[row["account_id"]]["risk"] for row in rows) < 0.5
    assert asked(found, people()) == 0.0


def test_a_university_without_edu_answers_when_the_operator_says_so():
    rows = group(60, hours=1, **CLASS | {"email": lambda n: f"s{n}@uni.example", "domain_age_days": 9_000})
    assert asked(screened(rows, answering=["uni.example"]), rows) == 0.0


def test_a_campus_does_not_answer_for_one_card():
    cards = CLASS | {"payment_fingerprint": on_cards(10), "device_fingerprint": lambda n: f"own-{n}"}
    rows = group(60, **cards)
    assert asked(screened(rows), rows) == 1.0


def test_strangers_near_a_farm_are_asked_for_nothing():
    farm = group(60, email=lambda n: f"zkqx{n:04}@mailinator.com", payment_fingerprint=on_cards(8))
    strangers = [
        person(300_000 + n, DAY + timedelta(hours=n), email=f"qkzp{n:04}@mailinator.com") for n in range(6)
    ]
    found = screened([*farm, *strangers])
    assert (asked(found, farm), asked(found, strangers)) == (1.0, 0.0)


def test_the_level_is_what_the_plan_asks_or_the_doubtful_one_and_never_less():
    levels = Levels(
        everybody=Level.MAIL,
        doubtful=Level.PASSKEY,
        needs=(
            Need(level=Level.ORGANIZATION, plans=("team",)),
            Need(level=Level.TOTP, programmes=("research",)),
        ),
    )
    for plan, programme, level, more in (
        ("payg", None, 3, True),
        ("team", None, 4, False),
        ("payg", "research", 3, True),
    ):
        rows = group(40, payment_fingerprint=on_cards(8), plan=plan, programme=programme)
        found = screened(rows, levels=levels)
        answers = {
            (found[row["account_id"]]["verification_level"], found[row["account_id"]]["asked_more"])
            for row in rows
        }
        assert answers == {(level, more)}
        assert {found[row["account_id"]]["verification_level"] for row in people()} == {1}


def test_without_times_nobody_is_in_company():
    rows = [row | {"created_at": None} for row in group(40, payment_fingerprint="one")]
    assert asked(screened(rows), rows) == 0.0
