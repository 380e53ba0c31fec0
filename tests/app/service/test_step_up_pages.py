"""Step-up as a browser without JavaScript has it: links, codes, checks of identity, appeals, refusals."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from step_up_desk import ACCOUNT, SECRET, Door, Visitor, served, write_secret

from stillwatch.access.identity_checks import secret_of, signature
from stillwatch.access.levels import Level
from stillwatch.access.signals.signals_file import SignalsFile
from stillwatch.app.service.step_up.languages import language
from stillwatch.enforce.links import Links

sys.path.insert(0, str(Path(__file__).parents[2] / "decisions"))
from decided_store import decided

ORGANIZATION = {
    "id": "university",
    "name": "Example University",
    "issuer": "http://localhost:9",  # nobody listens there
    "client_id": "stillwatch",
    "domains": ["example.edu"],
}


SIGNALS = SignalsFile.model_validate(
    {
        "issuer": "https://stillwatch.example.com",
        "streams": [{"name": "idp", "audience": "idp", "subjects": {"format": "opaque"}}],
    }
)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("access")
    write_secret(folder / "webhook", SECRET + "\n")
    identity = {
        "name": "Example Checks",
        "start_url": "https://checks.example.com/start?ref={reference}&back={return_url}",
        "secret_file": str(folder / "webhook"),
    }
    options = {"service": "Example Models", "organizations": [ORGANIZATION], "identity": identity}
    with served(folder / "state", signals=SIGNALS, **options) as found:
        yield found


@pytest.fixture(autouse=True)
def _clock(door: Door) -> Iterator[None]:
    yield
    door.clock.ahead = 0.0


def key_of(visitor: Visitor) -> pyotp.TOTP:
    found = re.search(r'class="key">([A-Z2-7 ]+)<', visitor.page.text)
    assert found is not None
    return pyotp.TOTP(found.group(1).replace(" ", ""))


def enrolled(door: Door, account: str) -> pyotp.TOTP:
    """An account with an app, whose last code was just taken."""
    visitor = Visitor(door).begin(door.link(account, level=2), "totp")
    key = key_of(visitor)
    assert visitor.send("/verify/codes", code=key.at(door.clock())).title == "Confirmed"
    return key


# -- links


def test_a_link_is_looked_at_often_and_opened_once(door):
    link = door.link("acct-once")
    for _ in range(3):  # a scanner of mail, a preview of a chat
        assert Visitor(door).open(link).status == 200
    first, second, third = Visitor(door), Visitor(door).open(link), Visitor(door)
    assert first.begin(link, "passkey").title == "Set up a passkey"
    assert second.send("/verify", method="passkey").status == 410
    assert third.open(link).status == 410
    assert third.title == "This link was used already"
    assert first.open(link).title == "Confirm who uses this account"  # goes on where it was opened
    assert str(first.page.url).endswith("/verify/methods")


def test_a_link_is_of_no_use_after_its_time_or_when_it_was_passed(door):
    link = door.link("acct-late", level=2)
    door.clock.ahead = 880  # a busy machine takes seconds to come here
    assert Visitor(door).open(link).status == 200
    door.clock.ahead = 901
    late = Visitor(door).open(link)
    assert (late.status, late.title) == (410, "This link is too old")
    door.clock.ahead = 0
    used = door.link("acct-passed", level=2)
    visitor = Visitor(door).begin(used, "totp")
    visitor.send("/verify/codes", code=key_of(visitor).at(door.clock()))
    assert visitor.title == "Confirmed"
    assert Visitor(door).open(used).status == 410


@pytest.mark.parametrize("place", [4, 40, -3])
def test_a_link_that_was_changed_is_refused(door, place):
    link = door.links.make("acct-1")
    other = "B" if link[place] == "A" else "A"
    for changed in (link[:place], f"{link[:place]}{other}{link[place:][1:]}", ""):
        visitor = Visitor(door).open(f"/verify?link={changed}")
        assert (visitor.status, visitor.title) == (400, "This link does not hold")
        assert "/appeal" not in visitor.page.text


def test_a_link_of_another_key_is_refused(door):
    foreign = Links(bytes(32)).make(ACCOUNT)
    assert Visitor(door).open(f"/verify?link={foreign}").status == 400
    assert Visitor(door).open(f"/appeal?link={foreign}").status == 400


def test_a_browser_that_confirms_one_account_opens_no_link_of_another(door):
    visitor = Visitor(door).begin(door.link("acct-mine"), "passkey")
    other = door.link("acct-other")
    assert (visitor.open(other).status, visitor.title) == (409, "You are confirming another account")
    assert visitor.send("/verify/leave").title == "The check has ended"
    assert visitor.open(other).status == 200


def test_a_session_ends_by_itself_and_acts_for_nobody_without_its_form(door):
    visitor = Visitor(door).begin(door.link("acct-form", level=2), "totp")
    code = key_of(visitor).at(door.clock())
    other = Visitor(door).begin(door.link("acct-thief", level=2), "totp")
    form = re.search(r'name="form" value="([^"]+)"', other.page.text)
    assert form is not None
    for told in ({}, {"form": ""}, {"form": form.group(1)}):
        assert visitor.http.post("/verify/codes", data={"code": code, **told}).status_code == 403
    cross = {"sec-fetch-site": "cross-site"}
    assert visitor.http.post("/verify/codes", data={"code": code}, headers=cross).status_code == 403
    door.clock.ahead = 901
    assert (visitor.open("/verify/codes").status, visitor.title) == (403, "No check is under way here")
    assert door.verifications.levels(["acct-form", "acct-thief"]) == {}


# -- why and what


def test_a_person_is_told_why_in_words_and_for_which_account_by_its_ends(door):
    decision = decided(door.desk.state, ACCOUNT, reason_codes=["payment-shared", "one-clock", "unheard-of"])
    page = Visitor(door).open(door.link(decision_id=decision.id)).page.text
    assert "ac•••19" in page
    assert ACCOUNT not in page
    assert decision.id in page
    assert language("en").say("why.sign_up") in page
    assert language("en").say("why.tempo") in page
    assert language("en").say("why.wording") not in page
    assert "unheard-of" not in page


def test_only_methods_that_reach_the_level_are_offered(door):
    def offered(level: int) -> list[str]:
        return re.findall(
            r'name="method" value="(\w+)"', Visitor(door).open(door.link(level=level)).page.text
        )

    assert offered(2) == ["passkey", "totp", "organization", "identity"]
    assert offered(0) == offered(3) == ["passkey", "organization", "identity"]  # 0: that of the doubtful
    assert offered(4) == ["organization", "identity"]
    assert offered(5) == ["identity"]


def test_a_page_may_load_nothing_from_elsewhere(door):
    answer = Visitor(door).open(door.link()).page
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert re.findall(r"\son\w+=|style=|<script>", answer.text) == []
    cookie = Visitor(door).open(door.link())
    cookie.send("/verify", method="passkey")
    told = cookie.page.history[0].headers["set-cookie"]
    assert told.startswith("__Host-step-up=")
    assert all(word in told for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/", "Max-Age=900"))


# -- codes


def test_codes_are_set_up_once_and_entered_from_then_on(door):
    key = enrolled(door, "acct-codes")
    visitor = Visitor(door).begin(door.link("acct-codes", level=2), "totp")
    assert visitor.title == "Enter a code from your app"
    assert 'class="key"' not in visitor.page.text
    visitor.send("/verify/codes", code=key.at(door.clock()))
    assert (visitor.status, "used already" in visitor.page.text) == (422, True)
    door.clock.ahead = 60
    assert visitor.send("/verify/codes", code=key.at(door.clock())).title == "Confirmed"
    assert [each.level for each in door.verifications.of_account("acct-codes")] == [Level.TOTP] * 2


def test_tries_add_up_over_sessions(door):
    key = enrolled(door, "acct-guess")
    door.clock.ahead = 60
    for _ in range(5):
        visitor = Visitor(door).begin(door.link("acct-guess", level=2), "totp")
        assert "not right" in visitor.send("/verify/codes", code="000000").page.text
    assert "Too many codes" in visitor.send("/verify/codes", code=key.at(door.clock())).page.text


def test_who_has_an_app_shows_a_code_before_a_passkey_is_set_up(door):
    key = enrolled(door, "acct-both")
    visitor = Visitor(door).begin(door.link("acct-both", level=3), "passkey")
    assert visitor.title == "Enter a code from your app"
    assert "First enter a code" in visitor.page.text
    door.clock.ahead = 60
    assert visitor.send("/verify/codes", code=key.at(door.clock())).title == "Set up a passkey"
    assert visitor.open("/verify/passed").title == "Confirm who uses this account"  # not reached yet


# -- the organisation and the check of identity


def test_an_organisation_that_is_away_is_told(door):
    visitor = Visitor(door).begin(door.link(), "organization")
    visitor.open("/verify/organization/to/university")
    assert (visitor.status, "does not answer" in visitor.page.text) == (422, True)
    assert visitor.open("/verify/organization/to/nobody").status == 404
    assert "too long" in visitor.open("/verify/organization/callback?code=x&state=y").page.text


def webhook(
    door: Door, reference: str, status: str, *, secret: str = SECRET, ahead: int = 0, **more: Any
) -> Any:
    body = json.dumps({"reference": reference, "status": status, **more}).encode()
    stamp = str(int(time.time()) + ahead)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": signature(secret_of(secret), "msg_1", stamp, body),
    }
    return Visitor(door).http.post("/v1/identity-checks", content=body, headers=headers)


def begun(door: Door, account: str, decision: str = "") -> tuple[Visitor, str]:
    visitor = Visitor(door).begin(door.link(account, level=5, decision_id=decision), "identity")
    visitor.send("/verify/identity")
    found = re.search(r"start\?ref=([\w-]+)&amp;back=(\S+)\"", visitor.page.text)
    assert found is not None
    assert found.group(2).endswith("%2Fverify%2Fidentity")
    return visitor, found.group(1)


def test_an_identity_check_is_begun_waited_for_and_passed(door):
    visitor, reference = begun(door, "acct-identity")
    assert "acct-identity" not in visitor.page.text
    assert "under way" in visitor.open("/verify/identity").page.text
    assert webhook(door, reference, "pending").json() == {"changed": False, "status": "pending"}
    assert webhook(door, reference, "passed", subject="person-1").json() == {
        "changed": True,
        "status": "passed",
    }
    assert webhook(door, reference, "passed", subject="person-1").json()["changed"] is False
    assert webhook(door, reference, "failed").status_code == 409
    assert visitor.open("/verify/identity").title == "Confirmed"
    assert door.verifications.levels(["acct-identity"]) == {"acct-identity": Level.IDENTITY}


def test_identity_providers_are_told_of_a_level_that_rose_once(door):
    for decision in ("dec_1", "dec_2"):
        _, reference = begun(door, "acct-told", decision)
        assert webhook(door, reference, "passed", subject="person-told").json()["status"] == "passed"
    told = [each for each in door.desk.outbox.waiting("idp", 100) if each.account_id == "acct-told"]
    assert [(each.claims["previous_level"], each.claims["current_level"]) for each in told] == [("0", "5")]


def test_what_an_account_has_is_used_before_anything_else(door):
    """Who stole a link signs in as himself, or has himself checked: neither passes, nor sets anything up."""
    account = "acct-owned"
    owner = Visitor(door).begin(door.link(account, level=2), "totp")
    key = pyotp.TOTP(re.search(r'class="key">([A-Z2-7 ]+)<', owner.page.text).group(1).replace(" ", ""))
    owner.send("/verify/codes", code=key.at(door.clock()))
    assert door.verifications.levels([account]) == {account: Level.TOTP}

    thief = Visitor(door).begin(door.link(account, level=3), "organization")
    ways = [
        lambda: thief.open("/verify/organization/to/university"),
        lambda: thief.open("/verify/identity").send("/verify/identity"),
        lambda: thief.open("/verify/passkey/another"),
        lambda: thief.open("/verify/passkey"),
    ]
    assert [way().title for way in ways] == ["Enter a code from your app"] * 4
    assert door.verifications.levels([account]) == {account: Level.TOTP}

    door.clock.ahead += 60  # the owner's next code
    thief.open("/verify/codes").send("/verify/codes", code=key.at(door.clock()))
    assert thief.open("/verify/identity").send("/verify/identity").title == "Identity check"


def test_what_was_passed_for_one_decision_is_not_enough_for_the_next(door):
    visitor, reference = begun(door, "acct-again")
    webhook(door, reference, "passed", subject="person-2")
    assert visitor.open("/verify/identity").title == "Confirmed"
    later = Visitor(door).begin(door.link("acct-again", level=5, decision_id="dec_2"), "identity")
    assert later.title == "Identity check"
    assert later.open("/verify/passed").title == "Confirm who uses this account"


def test_a_result_that_is_not_signed_stale_or_of_no_check_changes_nothing(door):
    visitor, reference = begun(door, "acct-unsigned")
    other = "whsec_" + "A" * 32
    assert webhook(door, reference, "passed", secret=other).status_code == 401
    assert webhook(door, reference, "passed", ahead=-301).json()["error"]["code"] == "stale"
    assert webhook(door, "nobody", "passed").status_code == 404
    assert webhook(door, reference, "perhaps").status_code == 422
    assert "under way" in visitor.open("/verify/identity").page.text
    assert webhook(door, reference, "failed").json()["status"] == "failed"
    assert "could not confirm" in visitor.open("/verify/identity").page.text


def test_one_person_answers_for_so_many_accounts_and_no_more(door):
    for number in range(4):
        visitor, reference = begun(door, f"acct-person-{number}")
        told = webhook(door, reference, "passed", subject="person-of-many").json()
        assert told["status"] == ("passed" if number < 3 else "failed")
    assert "as many accounts" in visitor.open("/verify/identity").page.text


# -- appeals


def test_an_appeal_is_filed_and_its_answer_seen(door):
    link = door.link("acct-appeal", decision_id="dec_1")
    visitor = Visitor(door, "ko").open(link.replace("/verify?", "/appeal?"))
    assert visitor.page.text.count("ac•••al") == 1
    visitor.send("/appeal", kind="wrong", text="A <b>class</b> of forty.\r\nWe meet on Mondays.")
    assert visitor.title == language("ko").say("state.open.title")
    assert "&lt;b&gt;class&lt;/b&gt;" in visitor.page.text
    number = re.search(r"AP-\w{5}-\w{5}", visitor.page.text)
    assert number is not None
    assert number.group() in door.audit()
    assert "acct-appeal" not in door.audit()
    assert Visitor(door).open("/appeal/" + "x" * 32).status == 404
    assert Visitor(door).open(link).status == 200  # to appeal uses no link up


def test_an_appeal_says_what_it_lacks_and_keeps_what_was_written(door):
    visitor = Visitor(door).open(door.link("acct-lacks").replace("/verify?", "/appeal?"))
    assert "Choose what" in visitor.send("/appeal", text="Kept words").page.text
    assert "Kept words" in visitor.page.text
    assert "Write what" in visitor.send("/appeal", kind="wrong", text=" \n ").page.text
    assert "too long" in visitor.send("/appeal", kind="wrong", text="x" * 4001).page.text
    assert visitor.status == 422


def test_who_is_too_late_may_appeal_but_not_for_ever_and_not_without_end(door):
    link = door.link("acct-tired")
    door.clock.ahead = 86_400 * 29
    visitor = Visitor(door).open(link)
    assert visitor.status == 410
    appeal = re.search(r'href="(/appeal\?link=[^"]+)"', visitor.page.text)
    assert appeal is not None
    for _ in range(3):
        visitor.open(appeal.group(1)).send("/appeal", kind="other", text="Please look.")
        assert visitor.title == "We have your appeal"
    visitor.open(appeal.group(1)).send("/appeal", kind="other", text="Please look.")
    assert "several times today" in visitor.page.text
    door.clock.ahead = 86_400 * 31
    assert visitor.open(appeal.group(1)).status == 410
    assert Visitor(door).open("/appeal").status == 403
