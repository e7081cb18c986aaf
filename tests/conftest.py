"""What holds for all tests: generated examples have no time limit, because a slow machine is not a broken promise."""

from hypothesis import settings

from tests.support.azurite import azurite

__all__ = ["azurite"]  # a fixture for all tests

settings.register_profile("nearzone", deadline=None, print_blob=True)
settings.load_profile("nearzone")
