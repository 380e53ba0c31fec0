"""The sign-in of an organisation: OpenID Connect's code flow, with PKCE (RFC 7636), state and nonce."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from stillwatch.access.step_up import Organization, secure

_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519")
_KEPT: Final = 3600.0  # seconds that what an issuer says of itself is believed
_ANEW: Final = 10.0  # seconds before its keys are asked for again, for one that is not known
_TIMEOUT: Final = 10.0
_LEEWAY: Final = 60  # seconds that clocks may differ by
_MOST: Final = 2**20  # bytes of an answer
_SCOPE: Final = "openid email"
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class SignInError(Exception):
    """A sign-in that did not come about.

    ``reason`` is ``away`` (the issuer does not answer as it should), ``declined`` (the person or the issuer
    said no), ``unverified`` (what came back proves nothing) or ``stranger`` (somebody whom the organisation
    does not answer for).
    """

    def __init__(self, reason: str, why: str = "") -> None:
        """``why`` is for the log."""
        super().__init__(f"{reason}: {why}")
        self.reason = reason


class Begun(NamedTuple):
    """Where the person signs in, and what the answer is held against."""

    url: str
    state: str
    nonce: str
    verifier: str


class _Issuer(NamedTuple):
    """What an issuer says of itself (OpenID Connect Discovery 1.0)."""

    authorization: str
    token: str
    jwks: str
    asked_at: float


class SignIn:
    """Signs people in at one organisation; any thread may."""

    def __init__(self, organization: Organization, redirect_uri: str, secret: str | None) -> None:
        """Ask nobody yet.

        Args:
            organization: whose people.
            redirect_uri: where the issuer sends them back to.
            secret: the client's; None: it is a public client.
        """
        self.organization = organization
        self._redirect_uri, self._secret = redirect_uri, secret
        self.http = httpx.Client(timeout=_TIMEOUT, follow_redirects=False)
        self._lock = threading.Lock()
        self._issuer: _Issuer | None = None
        self._keys: KeySet | None = None
        self._keys_at = 0.0

    def begin(self) -> Begun:
        """Return where the person signs in.

        Raises:
            SignInError: the issuer is away.
        """
        state, nonce = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        verifier = secrets.token_urlsafe(48)
        url = prepare_grant_uri(
            self._discovered().authorization,
            client_id=self.organization.client_id,
            response_type="code",
            redirect_uri=self._redirect_uri,
            scope=_SCOPE,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Begun(url, state, nonce, verifier)

    def finish(self, code: str, nonce: str, verifier: str) -> str:
        """Redeem a code and return the subject whom the issuer signed in.

        Raises:
            SignInError: the issuer is away or declines, what it says proves nothing, or it is of a stranger.
        """
        claims = self._verified(self._redeemed(code, verifier), nonce)
        if not self._answers_for(claims):
            raise SignInError("stranger", self.organization.id)
        return str(claims["sub"])

    def _redeemed(self, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        if self._secret is None:
            auth, form["client_id"] = None, self.organization.client_id
        else:
            auth = httpx.BasicAuth(self.organization.client_id, self._secret)
        told = self._asked("POST", self._discovered().token, data=form, auth=auth, may_decline=True)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise SignInError("unverified", "no id_token")
        return token

    def _verified(self, token: str, nonce: str) -> Mapping[str, Any]:
        """Return the claims of an ID token (OpenID Connect Core 1.0, section 3.1.3.7)."""
        organization = self.organization
        try:
            found = self._decoded(token)
            registry = jwt.JWTClaimsRegistry(
                leeway=_LEEWAY,
                iss={"essential": True, "value": organization.issuer},
                aud={"essential": True, "value": organization.client_id},
                nonce={"essential": True, "value": nonce},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            )
            registry.validate(found)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SignInError("unverified", str(error)) from error
        several = isinstance(found["aud"], list) and len(found["aud"]) > 1
        if several and found.get("azp") != organization.client_id:
            raise SignInError("unverified", "it is for several, and was not issued to us")
        return found

    def _decoded(self, token: str) -> dict[str, Any]:
        """Return what a token says whose signature is right; its key may be newer than those kept."""
        try:
            return dict(jwt.decode(token, self._key_set(_KEPT), algorithms=_ALGORITHMS).claims)
        except (JoseError, ValueError):
            return dict(jwt.decode(token, self._key_set(_ANEW), algorithms=_ALGORITHMS).claims)

    def _answers_for(self, claims: Mapping[str, Any]) -> bool:
        wanted = self.organization
        told = [claims.get(name) for name in wanted.claims]
        says = all(
            value in each if isinstance(each, list) else value == each
            for value, each in zip(wanted.claims.values(), told, strict=True)
        )
        return says and (wanted.domains is None or _domain(claims) in wanted.domains)

    def _discovered(self) -> _Issuer:
        with self._lock:
            known = self._issuer
        if known is not None and time.monotonic() - known.asked_at < _KEPT:
            return known
        issuer = self.organization.issuer
        told = self._asked("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            if told["issuer"] != issuer:
                raise SignInError("away", f"it calls itself {told['issuer']!r}")
            authorization, token, jwks = (secure(str(told[name]), issuer) for name in _ENDPOINTS)
            found = _Issuer(authorization, token, jwks, time.monotonic())
        except (KeyError, ValueError) as error:
            raise SignInError("away", f"what it says of itself lacks {error}") from error
        with self._lock:
            self._issuer = found
        return found

    def _key_set(self, kept: float) -> KeySet:
        with self._lock:
            known, age = self._keys, time.monotonic() - self._keys_at
        if known is not None and age < kept:
            return known
        told = self._asked("GET", self._discovered().jwks)
        found = KeySet.import_key_set({"keys": told["keys"]})
        with self._lock:
            self._keys, self._keys_at = found, time.monotonic()
        return found

    def _asked(self, method: str, url: str, *, may_decline: bool = False, **more: Any) -> dict[str, Any]:
        """Return an object that the issuer answers with; where it may decline, 400 is its no."""
        try:
            answer = self.http.request(method, url, headers={"accept": "application/json"}, **more)
            told = answer.json() if len(answer.content) <= _MOST else None
        except (httpx.HTTPError, ValueError) as error:
            raise SignInError("away", str(error)) from error
        if may_decline and answer.status_code == 400:
            raise SignInError("declined", f"{answer.status_code}")
        if answer.status_code != 200 or not isinstance(told, dict):
            raise SignInError("away", f"{url} answers {answer.status_code}")
        return told


def _domain(claims: Mapping[str, Any]) -> str | None:
    """Return the domain that the issuer answers for: its own word for it, else that of a verified address."""
    hosted = claims.get("hd")
    if isinstance(hosted, str):
        return hosted.lower()
    mail = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(mail, str):
        return None
    return mail.rpartition("@")[2].lower() or None
