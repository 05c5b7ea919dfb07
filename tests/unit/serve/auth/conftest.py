from collections.abc import Iterator

import pytest

from unit.serve.auth import provider as providers


@pytest.fixture
def provider() -> Iterator[providers.Provider]:
    """An OpenID provider on 127.0.0.1."""
    with providers.running() as running:
        yield running
