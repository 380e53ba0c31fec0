"""The hook inside LiteLLM: ``litellm_settings: {callbacks: ["stillwatch_enforce.litellm.hook"]}``.

The class is made when LiteLLM asks for ``hook``, so that this file can be imported where LiteLLM is not. It
refuses and reduces by what LiteLLM knows of the key, which no client can choose.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NoReturn

from stillwatch.enforce.answers import Answer, refusal
from stillwatch.enforce.environment import Configured, configured
from stillwatch.enforce.litellm_answers import Reducer, reduce_answer
from stillwatch.enforce.reduction import HEADER, reduced_request

_PREFIX: Final = "metadata.user_api_key_"
_ACCOUNT_FIELDS: Final = (f"{_PREFIX}user_id", f"{_PREFIX}hash")
_ATTRIBUTES: Final = {"hash": "api_key", "alias": "key_alias"}
_LIMITS: Final = {
    "completion": "max_tokens",
    "acompletion": "max_tokens",
    "text_completion": "max_tokens",
    "atext_completion": "max_tokens",
    "anthropic_messages": "max_tokens",
    "responses": "max_output_tokens",
    "aresponses": "max_output_tokens",
}
"""The limit that each kind of call takes; a call of any other kind has no words to be reduced."""


class Decider:
    """What the hook does, without anything of LiteLLM's."""

    def __init__(self, found: Configured) -> None:
        """Rule by ``found``.

        Raises:
            ValueError: the account key is none that LiteLLM keeps of a key.
        """
        fields = (found.account_key,) if found.account_key else _ACCOUNT_FIELDS
        odd = [field for field in fields if not field.startswith(_PREFIX)]
        if odd:
            raise ValueError(f"STILLWATCH_ACCOUNT_KEY: LiteLLM knows no {odd[0]} of a key")
        names = [field.removeprefix(_PREFIX) for field in fields]
        self._attributes = [_ATTRIBUTES.get(name, name) for name in names]
        self._guard, self._outcomes = found.guard, found.outcomes

    def account_of(self, key: object) -> str | None:
        """Return the account as LiteLLM's log will have it, of what it knows of a key."""
        for attribute in self._attributes:
            value = getattr(key, attribute, None)
            if value is not None and str(value).strip():
                return str(value).strip()
        return None

    def before(self, key: object, data: dict[str, Any], call_type: str) -> dict[str, Any]:
        """Return the request as it goes on.

        Raises:
            HTTPException: it does not; of FastAPI, which LiteLLM answers with.
        """
        account = self.account_of(key)
        ruling = self._guard.rule(account)
        if account is None or ruling.terms is None:
            return data
        limit = _LIMITS.get(call_type)
        skipped = ruling.action == "reduce" and limit is None
        call_id = str(data.get("litellm_call_id") or "")
        self._outcomes.tell(account, ruling, call_id, "skipped(nothing to reduce)" if skipped else "")
        refused = refusal(ruling)
        if refused is not None:
            _refuse(refused)
        if ruling.action != "reduce" or limit is None:
            return data
        return _in_place(data, reduced_request(data, ruling.terms.max_tokens, limit))

    @property
    def reduces_anybody(self) -> bool:
        """Whether the snapshot asks for anybody's answers to be reduced."""
        held = self._guard.current.held
        return held is not None and held.reduces

    def reduces(self, key: object) -> bool:
        """Whether answers to this key are to be reduced."""
        return self._guard.reduces(self.account_of(key))


def _in_place(data: dict[str, Any], reduced: Mapping[str, Any]) -> dict[str, Any]:
    for name in data.keys() - reduced.keys():
        del data[name]
    data.update(reduced)
    return data


def _refuse(refused: Answer) -> NoReturn:
    detail = json.loads(refused.body)["error"]
    headers = {name: value for name, value in refused.headers if name != "content-type"}
    raise importlib.import_module("fastapi").HTTPException(refused.status, detail, headers)


def _made() -> Any:
    """Return the hook as an instance of LiteLLM's own class; its methods have to be the class' own."""
    litellm: Any = importlib.import_module("litellm")
    base: Any = importlib.import_module("litellm.integrations.custom_logger").CustomLogger
    decider = Decider(configured())
    answers = _reducing_answers(base, decider)

    class Hook(base):  # type: ignore[misc]
        """What LiteLLM calls before a request goes on."""

        async def async_pre_call_hook(
            self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
        ) -> dict[str, Any]:
            passed = decider.before(user_api_key_dict, data, call_type)
            if decider.reduces_anybody is not (answers in litellm.callbacks):
                (litellm.callbacks.append if decider.reduces_anybody else litellm.callbacks.remove)(answers)
            return passed

    return Hook()


def _reducing_answers(base: Any, decider: Decider) -> Any:
    """Return what LiteLLM calls with answers.

    It is among LiteLLM's callbacks only while there is somebody whose answers are reduced: LiteLLM leads
    every part of every stream through whatever has such methods.
    """

    class Answers(base):  # type: ignore[misc]
        """What LiteLLM calls with answers."""

        async def async_post_call_success_hook(
            self, data: dict[str, Any], user_api_key_dict: Any, response: Any
        ) -> Any:
            return reduce_answer(response) if decider.reduces(user_api_key_dict) else response

        async def async_post_call_streaming_iterator_hook(
            self, user_api_key_dict: Any, response: AsyncIterator[Any], request_data: dict[str, Any]
        ) -> AsyncIterator[Any]:
            reducer = Reducer() if decider.reduces(user_api_key_dict) else None
            async for chunk in response:
                passed = chunk if reducer is None else reducer.take(chunk)
                if passed is not None:
                    yield passed

        async def async_post_call_response_headers_hook(
            self, data: dict[str, Any], user_api_key_dict: Any, response: Any, **also: Any
        ) -> dict[str, str] | None:
            return dict([HEADER]) if decider.reduces(user_api_key_dict) else None

    return Answers()


_held: dict[str, Any] = {}


def __getattr__(name: str) -> Any:
    """Make ``hook`` when it is first asked for."""
    if name != "hook":
        raise AttributeError(name)
    if name not in _held:
        _held[name] = _made()
    return _held[name]


__all__ = ["Decider", "hook"]  # noqa: F822 - made when it is asked for
