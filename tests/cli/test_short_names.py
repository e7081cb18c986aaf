"""Screens show an endpoint by a short name that tells it apart."""

import pytest

from nearzone_cli.screens.said import brief, short

GROUP = "/subscriptions/5e7a1c00-0000-4000-8000-000000000001/resourceGroups/serving/providers"


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("Microsoft.Compute/virtualMachines/llama-eus-1", "llama-eus-1"),
        ("Microsoft.Compute/virtualMachineScaleSets/pool/virtualMachines/0", "pool/0"),
        ("Microsoft.ApiManagement/service/apim/locations/eastus", "apim/eastus"),
    ],
)
def test_an_instance_and_a_location_are_shown_with_the_name_of_their_parent(endpoint, shown):
    """The last part of their ids alone is a number or a region, which several endpoints share."""
    assert short(f"{GROUP}/{endpoint}") == shown
    assert brief(f"drain of {GROUP}/{endpoint}, given") == f"drain of {shown}, given"
