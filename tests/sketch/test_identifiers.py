"""Identifiers that mean the same read the same, and generated ones share a shape."""

import pytest

from stillwatch.sketch.identifiers import (
    Mail,
    kind_of,
    phone_number,
    plain_name,
    read_mail,
    registered_domain,
    shape_of,
)


@pytest.mark.parametrize(
    "written",
    ["jane.doe@gmail.com", "JaneDoe+news@GMail.com", " j.a.n.e.doe@googlemail.com ", "ｊａｎｅdoe@gmail.com"],
)
def test_one_box_has_one_address(written):
    assert read_mail(written).address == "janedoe@gmail.com"


def test_dots_count_elsewhere_and_tags_nowhere():
    assert read_mail("jane.doe+x@example.org").address == "jane.doe@example.org"


@pytest.mark.parametrize("written", ["", "nobody", "@example.org", "a@", "a@."])
def test_what_is_no_address_stands_for_itself(written):
    assert read_mail(written) == Mail(written, None, None, None)


@pytest.mark.parametrize(
    ("domain", "registered"),
    [
        ("mail.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
    ],
)
def test_registered_domain(domain, registered):
    assert registered_domain(domain) == registered


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        ("gmail.com", "free"),
        ("x7.mailinator.com", "disposable"),
        ("cs.example.edu", "education"),
        ("example.edu.cn", "education"),
        ("example.ac.jp", "education"),
        ("example.com", "own"),
        ("notgmail.com", "own"),
        ("academy.com", "own"),
    ],
)
def test_kind_of_domain(domain, kind):
    assert kind_of(domain) == kind


@pytest.mark.parametrize(
    ("local", "shape"),
    [
        ("maria.lopez88", "a5.a5d2@"),
        ("peter.moser07", "a5.a5d2@"),
        ("k3v9q2", "x6@"),
        ("z8m1p4", "x6@"),
        ("user000123", "a5d6@"),
        ("12345", "d5@"),
        ("a_b-c+tag", "a1_a1-a1+a5@"),
        ("x" * 40, "a99@"),
        ("李小龍", "a5@"),
    ],
)
def test_shape_groups_what_one_generator_made(local, shape):
    assert shape_of(local) == shape


def test_phone_numbers_compare_by_digits():
    assert phone_number("+49 (30) 1234-567") == phone_number("0049301234567") == "49301234567"
    assert phone_number("ph_8a7f") == "ph_8a7f"


def test_names_compare_without_case_and_spacing():
    assert plain_name("  Example   ＧmbH ") == plain_name("example gmbh")
