"""A request's canonical JSON is put together from shared parts; it must be the bytes that plain serialisation gives, or keys change."""

import json

from hypothesis import given
from hypothesis import strategies as st

from datagen.clients.openai_compatible import OpenAICompatible, build_request
from datagen.clients.types import ChatMessage, ChatRequest, ChatResponse, Parameters
from datagen.hashing import canonical_json, sha256_hex

TEXTS = st.text(st.characters(exclude_categories=()), max_size=12) | st.sampled_from(["早餐几点开始？", '"\\\n\x7f\u2028', "\ud800"])
MESSAGES = st.lists(st.builds(ChatMessage, st.sampled_from(["system", "user", "assistant"]), TEXTS), max_size=3).map(tuple)
NUMBERS = st.none() | st.integers(1, 10**6)
PARAMETERS = st.builds(Parameters, st.none() | st.floats(0, 2), NUMBERS, NUMBERS)
SCHEMAS = st.none() | st.dictionaries(TEXTS, st.lists(TEXTS, max_size=2), max_size=2)
REQUESTS = st.builds(ChatRequest, TEXTS, st.just("http://127.0.0.1:1/v1"), TEXTS, MESSAGES, PARAMETERS, SCHEMAS, TEXTS, st.integers(0, 99))


@given(REQUESTS)
def test_a_request_has_one_canonical_form(request: ChatRequest) -> None:
    assert request.canonical() == canonical_json(request.to_json())
    assert request.key() == sha256_hex(canonical_json(request.to_json())) == request.keyed(request.canonical())
    assert ChatRequest.from_json(request.to_json()) == request


@given(st.builds(ChatResponse, TEXTS, TEXTS, st.integers(0), st.integers(0), TEXTS, st.booleans()))
def test_a_response_has_one_canonical_form(response: ChatResponse) -> None:
    assert response.canonical() == canonical_json(response.to_json())


@given(REQUESTS, st.sampled_from(["json_schema", "json_object", "prompt"]))
def test_the_body_that_is_sent_is_the_request_that_is_built(request: ChatRequest, form: str) -> None:
    assert form in ("json_schema", "json_object", "prompt")
    adapter = OpenAICompatible(request.base_url, "none", timeout_s=1, loopback=True)
    for _ in range(2):  # the second from the frame that the first left behind
        assert json.loads(adapter.body(request, form).decode("utf-8", "surrogatepass")) == build_request(request, form)


def test_equal_numbers_of_different_form_have_keys_of_their_own() -> None:
    whole, point = (ChatRequest("openai", "http://127.0.0.1:1/v1", "m", (), Parameters(temperature=t)) for t in (1, 1.0))
    assert whole == point
    assert (b'"temperature":1}' in whole.canonical(), b'"temperature":1.0}' in point.canonical()) == (True, True)
