"""The proxy's users without a database: a JSON file that maps each key to whose it is.

LiteLLM loads this module from beside its config and runs it in its own environment.
"""

import json
import os
from pathlib import Path

from fastapi import Request
from litellm.proxy._types import ProxyException, UserAPIKeyAuth

OWNERS = json.loads(Path(os.environ["KEY_FILE"]).read_text())


async def authenticate(request: Request, api_key: str) -> UserAPIKeyAuth:
    """Return the owner of a key: its ``user_id``, ``key_alias`` and, where set, team and organisation."""
    if api_key not in OWNERS:
        raise ProxyException(message="unknown key", type="auth_error", param="key", code=401)
    return UserAPIKeyAuth(api_key=api_key, **OWNERS[api_key])
