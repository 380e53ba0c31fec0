"""The sign-in of an organisation, against a real provider's process; and answers that prove nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from openid_provider import provider
from step_up_desk import Door, Visitor, served, write_secret

from stillwatch.access.levels import Level
from stillwatch.access.organization_sign_in import SignIn, SignInError
from stillwatch.access.step_up import Organization

PEOPLE = [
    {"sub": "kim", "email": "kim@example.edu", "email_verified": True, "groups": ["staff", "lab"]},
    {"sub": "pat", "email": "pat@example.edu", "email_verified": True, "groups": ["staff"]},
    {"sub": "ben", "email": "ben@example.edu", "email_verified": True},
    {"sub": "lee", "email": "lee@example.edu", "email_verified": False},
    {"sub": "ana", "email": "ana@example.com", "email_verified": True},
    {"sub": "eve", "email": "eve@example.edu.example.net", "email_verified": True},
]
BACK = "/verify/organization/callback"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with provider(PEOPLE) as found:
        yield found


@pytest.fixture(scope="module")
def door(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("access")
    write_secret(folder / "secret", "client secret")
    own = {
        "id": "university",
        "name": "Example University",
        "issuer": issuer,
        "client_id": "stillwatch",
        "client_secret_file": str(folder / "secret"),
        "domains": ["example.edu"],
    }
    staff = own | {"id": "staff", "domains": None, "claims": {"groups": "staff"}}
    with served(folder / "state", organizations=[own, staff]) as found:
        yield found


def sent_away(door: Door, account: str, to: str = "university") -> tuple[Visitor, str]:
    """A visitor of a link, and the URL of the provider that they are sent to."""
    visitor = Visitor(door).begin(door.link(account, level=4), "organization")
    answer = visitor.http.get(f"/verify/organization/to/{to}", follow_redirects=False)
    assert answer.status_code == 303
    return visitor, answer.headers["location"]


def signed_in(url: str, who: str) -> str:
    """Sign in at the provider; return where it sends the browser back to."""
    answer = httpx.post(url, data={"sub": who}, trust_env=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def visit(door: Door, account: str, who: str, to: str = "university") -> Visitor:
    visitor, url = sent_away(door, account, to)
    return visitor.open(signed_in(url, who))


@pytest.mark.parametrize("to", ["university", "staff"])
def test_somebody_of_the_organisation_passes(door, to):
    account = f"acct-{to}"
    assert visit(door, account, "kim", to).title == "Confirmed"
    assert door.verifications.levels([account]) == {account: Level.ORGANIZATION}
    assert "kim" not in door.audit()


def test_what_is_asked_for_carries_state_nonce_and_a_challenge(door):
    query = parse_qs(urlsplit(sent_away(door, "acct-asked")[1]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["response_type"] == ["code"]
    assert query["redirect_uri"] == [f"{door.url}{BACK}"]
    assert all(len(query[name][0]) >= 32 for name in ("state", "nonce", "code_challenge"))


@pytest.mark.parametrize("who", ["lee", "ana", "eve"])
def test_a_stranger_or_an_unverified_address_does_not_pass(door, who):
    visitor = visit(door, "acct-stranger", who)
    assert (visitor.status, "does not belong" in visitor.page.text) == (422, True)
    assert door.verifications.levels(["acct-stranger"]) == {}


def test_an_answer_is_good_once_and_in_its_own_session(door):
    visitor, url = sent_away(door, "acct-once")
    thief, _ = sent_away(door, "acct-thief")
    back = signed_in(url, "ben")
    assert "could not be verified" in thief.open(back).page.text
    assert visitor.open(back).title == "Confirmed"
    assert "too long" in visitor.open(back).page.text
    assert door.verifications.levels(["acct-thief"]) == {}


def test_to_decline_is_no_dead_end(door):
    visitor, url = sent_away(door, "acct-no")
    state = parse_qs(urlsplit(url).query)["state"][0]
    visitor.open(f"{BACK}?error=access_denied&state={state}")
    assert (visitor.status, "cancelled or refused" in visitor.page.text) == (422, True)


def test_an_account_stays_with_the_person_who_passed_first(door):
    assert visit(door, "acct-first", "kim", "staff").title == "Confirmed"
    assert "Somebody else" in visit(door, "acct-first", "pat", "staff").page.text
    assert visit(door, "acct-first", "kim", "staff").title == "Confirmed"


def test_one_person_passes_for_so_many_accounts_and_no_more(door):
    for number in range(3):
        assert visit(door, f"acct-pat-{number}", "pat").title == "Confirmed"
    assert "as many accounts" in visit(door, "acct-pat-3", "pat").page.text


# -- tokens that prove nothing


KEY = RSAKey.generate_key(2048, {"kid": "k1"})
OTHER = RSAKey.generate_key(2048, {"kid": "k1"})


def token(key: RSAKey = KEY, **changes: object) -> str:
    now = int(time.time())
    claims = {
        "iss": "https://id.example.edu",
        "aud": "stillwatch",
        "sub": "kim",
        "nonce": "n",
        "iat": now,
        "exp": now + 60,
        "hd": "example.edu",
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, key)


def finish(told: str) -> str:
    """Redeem a code at an issuer that answers with this token."""

    def answer(request: httpx.Request) -> httpx.Response:
        issuer = "https://id.example.edu"
        if request.method == "POST":
            form = parse_qs(request.content.decode())
            assert form["client_id"] == ["stillwatch"]  # a public client
            assert form["code_verifier"] == ["verifier"]
        ends = {name: f"{issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
        return httpx.Response(
            200,
            json={
                "/.well-known/openid-configuration": {"issuer": issuer, **ends},
                "/token_endpoint": {"id_token": told, "access_token": "x", "token_type": "Bearer"},
                "/jwks_uri": {"keys": [KEY.as_dict(private=False)]},
            }[request.url.path],
        )

    organization = Organization(
        id="u", name="U", issuer="https://id.example.edu", client_id="stillwatch", domains=("example.edu",)
    )
    sign_in = SignIn(organization, "https://accounts.example.com/back", None)
    sign_in.http = httpx.Client(transport=httpx.MockTransport(answer))
    return sign_in.finish("code", "n", "verifier")


def test_a_token_that_is_right_names_its_subject():
    assert finish(token()) == "kim"
    assert finish(token(aud=["stillwatch", "other"], azp="stillwatch")) == "kim"


@pytest.mark.parametrize(
    "told",
    [
        token(OTHER),
        token(iss="https://id.example.com"),
        token(aud="another"),
        token(aud=["stillwatch", "other"]),
        token(nonce="m"),
        token(nonce=None),
        token(exp=int(time.time()) - 61),
        token(exp=None),
        token(sub=None),
        token().rpartition(".")[0] + ".",
        re.sub(r"^[^.]+", "eyJhbGciOiJub25lIn0", token()),
        "no token",
    ],
)
def test_a_token_that_is_not_proves_nothing(told):
    with pytest.raises(SignInError) as caught:
        finish(told)
    assert caught.value.reason == "unverified"


def test_a_domain_is_the_issuers_word_before_the_addresss():
    with pytest.raises(SignInError, match="stranger"):
        finish(token(hd="example.com", email="kim@example.edu", email_verified=True))
