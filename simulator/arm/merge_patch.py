"""A resource after a client's write: pure, and the same for VMs and scale sets.

Recorded (azure-cli, test_vm_update_size.yaml and test_vmss_create_none_options.yaml; Azure Service Operator,
Test_Compute_VMSS_20220301_CRUD.yaml): objects are merged, so a PUT keeps what it leaves out; named items of lists are
merged one by one and keep their order; secrets are never served.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SECRETS = frozenset({"adminPassword", "protectedSettings", "customData"})


def merge(old: Any, new: Any) -> Any:  # noqa: ANN401 - JSON
    """`new` written over `old`."""
    if isinstance(new, Mapping):
        base = old if isinstance(old, Mapping) else {}
        kept = {key: value for key, value in base.items() if key not in new}
        return {**kept, **{key: merge(base.get(key), value) for key, value in new.items() if key not in _SECRETS}}
    if isinstance(new, list):
        return _merged_list(old if isinstance(old, list) else [], new)
    return new


def _merged_list(old: list[Any], new: list[Any]) -> list[Any]:
    before, after = _named(old), _named(new)
    if after is None or not before:
        return [merge(None, each) for each in new]
    order = [name for name in before if name in after] + [name for name in after if name not in before]
    return [merge(before.get(name), after[name]) for name in order]


def _named(items: list[Any]) -> dict[str, Any] | None:
    """The items of a list by their names in lower case; None when one has no name."""
    if not all(isinstance(each, Mapping) and isinstance(each.get("name"), str) for each in items):
        return None
    return {each["name"].lower(): each for each in items}
