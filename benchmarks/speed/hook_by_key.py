"""The proxy's users, of whom one is served with the hook and the other without it.

LiteLLM loads this module from beside its config, in its own environment: one process, so that nothing but
the hook differs between the two.
"""

import litellm
from fastapi import Request
from litellm.proxy._types import UserAPIKeyAuth
from stillwatch_enforce.litellm import hook

WITH = "sk-with"


async def authenticate(request: Request, api_key: str) -> UserAPIKeyAuth:
    """Return whose key it is, and put the hook in or take it out for this request and those after it."""
    if (api_key == WITH) is not (hook in litellm.callbacks):
        (litellm.callbacks.append if api_key == WITH else litellm.callbacks.remove)(hook)
    return UserAPIKeyAuth(api_key=api_key, user_id="account-0000007")
