"""LLM providers behind one coroutine, with one response store, one limiter and one retry loop for all of them."""

from datagen.clients.base import RetryPolicy
from datagen.clients.budget import Account, BudgetExhausted
from datagen.clients.caching import CachingClient
from datagen.clients.opening import Limits, open_client, spent_in
from datagen.clients.spec import ModelSpec, parse_spec
from datagen.clients.store import ResponseStore
from datagen.clients.types import ChatMessage, ChatRequest, ChatResponse, Client, Parameters, RequestFailed

__all__ = [
    "Account",
    "BudgetExhausted",
    "CachingClient",
    "ChatMessage",
    "ChatRequest",
    "ChatResponse",
    "Client",
    "Limits",
    "ModelSpec",
    "Parameters",
    "RequestFailed",
    "ResponseStore",
    "RetryPolicy",
    "open_client",
    "parse_spec",
    "spent_in",
]
