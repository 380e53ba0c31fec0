"""What the hook does, without LiteLLM; with it see the gateways' tests."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from stillwatch.enforce import litellm as module
from stillwatch.enforce.environment import configured
from stillwatch.enforce.litellm import Decider
from stillwatch.enforce.litellm_answers import Reducer, reduce_answer
from stillwatch.enforce.snapshot import Terms, write_snapshot

ENFORCE = Path(module.__file__).parent
REDUCE = Terms("reduce", "dec_1", "cmp_1", dry_run=False, max_tokens=40)


def decider(folder, **more: str) -> Decider:
    write_snapshot(folder / "now", {"less": REDUCE, "team-1": REDUCE, "h1": REDUCE})
    return Decider(configured({"STILLWATCH_SNAPSHOT": str(folder / "now")} | more))


def key(**fields: str) -> SimpleNamespace:
    return SimpleNamespace(**{"user_id": None, "api_key": None, "team_id": None} | fields)


@pytest.mark.parametrize(
    ("call_type", "limit"), [("acompletion", "max_tokens"), ("aresponses", "max_output_tokens")]
)
def test_a_request_is_reduced_in_place(tmp_path, call_type, limit):
    data = {"model": "m", "logprobs": True, "litellm_call_id": "call-1", "metadata": {}}
    assert decider(tmp_path).before(key(user_id="less"), data, call_type) is data
    assert data == {"model": "m", limit: 40, "litellm_call_id": "call-1", "metadata": {}}


def test_a_call_without_words_and_an_account_that_is_left_alone_stay(tmp_path):
    for account, call_type in (("less", "aembedding"), ("other", "acompletion")):
        data = {"input": "x", "n": 3}
        assert decider(tmp_path).before(key(user_id=account), data, call_type) == {"input": "x", "n": 3}


def test_the_account_is_the_one_of_litellms_log(tmp_path):
    own = decider(tmp_path)
    assert own.account_of(key(user_id=" less ", api_key="h1")) == "less"
    assert own.account_of(key(api_key="h1")) == "h1"
    assert own.account_of(key()) is None
    assert own.account_of(None) is None
    teams = decider(tmp_path, STILLWATCH_ACCOUNT_KEY="metadata.user_api_key_team_id")
    assert teams.account_of(key(user_id="less", team_id="team-1")) == "team-1"
    with pytest.raises(ValueError, match=r"knows no metadata\.requester"):
        decider(tmp_path, STILLWATCH_ACCOUNT_KEY="metadata.requester")


def test_without_a_snapshot_named_it_does_not_start():
    with pytest.raises(ValueError, match="STILLWATCH_SNAPSHOT is not set"):
        configured({})


def test_answers_as_objects_lose_their_reasoning():
    delta = SimpleNamespace(content="four", reasoning_content="two and two", thinking_blocks=[1])
    chunk = SimpleNamespace(choices=[SimpleNamespace(delta=delta, logprobs={"content": []})])
    assert Reducer().take(chunk) is chunk
    assert vars(delta) == {"content": "four"}
    parts = [SimpleNamespace(type="reasoning"), SimpleNamespace(type="message", content="four")]
    answer = SimpleNamespace(output=parts)
    assert [part.type for part in reduce_answer(answer).output] == ["message"]
    assert reduce_answer({"choices": [{"logprobs": 1}]}) == {"choices": [{}]}


def test_a_stream_of_bytes_or_of_events_loses_it_too():
    reducer = Reducer()
    assert reducer.take(b'data: {"reasoning"') is None
    assert reducer.take(b': "a", "b": 1}\n\n') == b'data: {"b": 1}\n\n'
    assert Reducer().take("data: [DONE]\n\n") == "data: [DONE]\n\n"
    assert Reducer().take(SimpleNamespace(type="response.reasoning_text.delta", delta="hm")) is None


def test_nothing_but_the_standard_library_is_imported_until_a_gateway_asks():
    known = set(sys.stdlib_module_names) | {"stillwatch"}
    for path in ENFORCE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert {alias.name.partition(".")[0] for alias in node.names} <= known, path
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] in known, path
    with pytest.raises(AttributeError):
        _ = module.nothing
