"""Marketplace images and VM sizes, as far as clients ask for them before they create a VM.

Images: shapes and the versions of three images as recorded (azure-cli, test_vm_create_existing_nic.yaml, calls 21 and
22, and test_vm_create_none_options.yaml, calls 0 and 1, 2023). Every other image exists too, in one version: nothing
runs it. Sizes: the OpenAPI document of `skus` 2021-07-01, with a few sizes only; figures of Azure's pages on sizes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from simulator.arm.collection import rejected
from simulator.arm.front_door import ArmError, Call, Response

VERSIONS: Mapping[tuple[str, str, str], str] = {
    ("canonical", "ubuntuserver", "18.04-lts"): "18.04.202305220",
    ("debian", "debian-10", "10"): "0.20230222.1299",
    ("openlogic", "centos", "7.5"): "7.5.201808150",
}
OTHER_VERSION = "1.0.0"
SIZES: Mapping[str, tuple[str, int, str]] = {
    "Standard_DS1_v2": ("standardDSv2Family", 1, "3.5"),
    "Standard_D2s_v5": ("standardDSv5Family", 2, "8"),
    "Standard_NC24ads_A100_v4": ("StandardNCADSA100v4Family", 24, "220"),
    "Standard_NC48ads_A100_v4": ("StandardNCADSA100v4Family", 48, "440"),
    "Standard_ND96isr_H100_v5": ("standardNDSH100v5Family", 96, "1900"),
}
"""Name of a size -> its family, its vCPUs, and its memory in GiB."""

_IMAGES = "locations/publishers/artifacttypes/offers/skus/versions"
_LOCATION = re.compile(r"\s*location\s+eq\s+'([^']+)'\s*", re.IGNORECASE)


def routes(regions: Callable[[], list[str]]) -> dict[tuple[str, int, str], Callable[[Call], Response]]:
    """The answers by route. `regions`: where a list of sizes without a filter says that they are offered."""
    return {
        (_IMAGES, 5, "GET"): _versions,
        (_IMAGES, 6, "GET"): _version,
        ("locations/vmsizes", 1, "GET"): lambda _: Response(200, {"value": [_size(each) for each in SIZES]}),
        ("skus", 0, "GET"): lambda call: _skus(call, regions()),
    }


def _version_of(call: Call) -> str:
    _, publisher, _, offer, sku = (each.lower() for each in call.names[:5])
    return VERSIONS.get((publisher, offer, sku), OTHER_VERSION)


def _id(call: Call, version: str) -> str:
    location, publisher, _, offer, sku = call.names[:5]
    return (
        f"/Subscriptions/{call.subscription}/Providers/Microsoft.Compute/Locations/{location}/Publishers/{publisher}"
        f"/ArtifactTypes/VMImage/Offers/{offer}/Skus/{sku}/Versions/{version}"
    )


def _versions(call: Call) -> Response:
    version = _version_of(call)
    return Response(200, [{"location": call.names[0], "name": version, "id": _id(call, version)}])


def _version(call: Call) -> Response:
    location, publisher, _, offer, sku, version = call.names
    if version.lower() != _version_of(call):  # inferred
        raise ArmError(404, "NotFound", f"Artifact: VMImage was not found: {version}.")
    windows = "windows" in f"{publisher} {offer}".lower()
    properties: dict[str, Any] = {
        "hyperVGeneration": "V2" if "gen2" in sku.lower() else "V1",
        "architecture": "Arm64" if "arm64" in sku.lower() else "x64",
        "replicaType": "Unmanaged",
        "disallowed": {"vmDiskType": "None"},
        "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": False},
        "imageDeprecationStatus": {"imageState": "Active"},
        "osDiskImage": {
            "operatingSystem": "Windows" if windows else "Linux",
            "sizeInGb": 127 if windows else 30,
            "sizeInBytes": (127 if windows else 30) * 1024**3,
        },
        "dataDiskImages": [],
    }
    return Response(200, {"properties": properties, "location": location, "name": version, "id": _id(call, version)})


def _size(name: str) -> dict[str, Any]:
    _, cores, memory = SIZES[name]
    return {
        "name": name,
        "numberOfCores": cores,
        "osDiskSizeInMB": 1047552,
        "resourceDiskSizeInMB": 0,
        "memoryInMB": int(float(memory) * 1024),
        "maxDataDiskCount": 4,
    }


def _skus(call: Call, regions: list[str]) -> Response:
    wanted = call.request.query.get("$filter")
    found = _LOCATION.fullmatch(wanted) if wanted is not None else None
    if wanted is not None and found is None:  # inferred
        raise rejected(400, "InvalidParameter", f"The filter {wanted!r} is not supported.")
    places = [found[1].lower().replace(" ", "")] if found else regions
    return Response(200, {"value": [_sku(name, place) for place in places for name in SIZES]})


def _sku(name: str, region: str) -> dict[str, Any]:
    family, cores, memory = SIZES[name]
    capabilities = {"vCPUs": str(cores), "MemoryGB": memory, "HyperVGenerations": "V1,V2", "PremiumIO": "True"}
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "tier": "Standard",
        "size": name.removeprefix("Standard_"),
        "family": family,
        "locations": [region],
        "locationInfo": [{"location": region, "zones": [], "zoneDetails": []}],
        "capabilities": [{"name": each, "value": value} for each, value in capabilities.items()],
        "restrictions": [],
    }
