"""What the recorders wrote is read as the client sent it and Azure answered it."""

import json

import pytest
from comparison import Pairs
from recordings import Interaction, Recording, read
from replay import Replay

ARM = "https://management.azure.com"
GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/g"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"


def interaction(method, path, answer, body=None, status=200, headers=None, version="2022-11-01"):
    sent = json.dumps(body) if body else ""
    said = answer if isinstance(answer, str) else json.dumps(answer)
    return Interaction(method, f"{ARM}{path}?api-version={version}", {}, sent, status, headers or {}, said)


def written(tmp_path, body, answer):
    item = {
        "request": {"method": "PUT", "uri": f"{ARM}{GROUP}", "headers": {}, "body": body},
        "response": {"status": {"code": 200}, "headers": {"Date": ["Mon, 21 Jan 2019 19:24:42 GMT"]}, "body": answer},
    }
    path = tmp_path / "recording.yaml"
    path.write_text(json.dumps({"interactions": [item]}))
    [found] = read(path)
    return found


@pytest.mark.parametrize("body", ['b\'{"a": "it\\\'s"}\'', '{"a": "it\'s"}'])
def test_a_body_that_was_recorded_as_text_of_bytes_is_the_body_itself(tmp_path, body):
    assert json.loads(written(tmp_path, body, {"string": "{}"}).body) == {"a": "it's"}


@pytest.mark.parametrize(
    ("answer", "content"),
    [("", None), ("  ", None), ("true", True), ("<html>", "<html>"), ("12:00 hello\n12:01 world", ...)],
)
def test_an_answer_that_is_not_json_is_its_text(tmp_path, answer, content):
    assert written(tmp_path, None, {"string": answer}).content == (answer if content is ... else content)


@pytest.mark.parametrize(
    ("headers", "at"),
    [
        ({"date": "Mon, 21 Jan 2019 19:24:42 GMT"}, 1_548_098_682.0),
        ({"x-msedge-ref": "Ref A: 6B5A Ref B: CO6A Ref C: 2024-11-08T21:38:55Z"}, 1_731_101_935.0),
        ({}, None),
    ],
)
def test_the_time_of_an_answer_is_in_its_headers(headers, at):
    assert interaction("GET", GROUP, "", headers=headers).at == at


def test_a_condition_is_behind_the_answer_of_the_same_second_that_shows_its_etag(tmp_path):
    def item(method, second, headers, answered):
        return {
            "request": {"method": method, "uri": f"{ARM}{GROUP}", "headers": headers, "body": ""},
            "response": {"status": {"code": 200}, "headers": {"Date": [second], **answered}, "body": {"string": ""}},
        }

    first, second = "Mon, 21 Jan 2019 19:24:42 GMT", "Mon, 21 Jan 2019 19:24:43 GMT"
    calls = [
        item("PATCH", first, {"If-Match": ["b"]}, {}),
        item("PUT", first, {"If-Match": ["a"]}, {}),
        item("DELETE", first, {}, {}),
        item("GET", first, {}, {"ETag": ["a"]}),
        item("GET", second, {}, {"ETag": ["b"]}),
    ]
    path = tmp_path / "recording.yaml"
    path.write_text(json.dumps({"interactions": calls}))
    assert [each.method for each in read(path)] == ["PATCH", "DELETE", "GET", "PUT", "GET"]


def flexible_set(capacity):
    return {"location": "westus", "sku": {"name": "Standard_B1s", "capacity": capacity}, "properties": {}}


def test_vms_of_a_flexible_scale_set_go_together_with_those_that_the_simulator_has_made():
    path = f"{COMPUTE}/virtualMachineScaleSets/set"
    profile = {"networkProfile": {"networkInterfaceConfigurations": []}, "osProfile": {"computerNamePrefix": "set"}}
    body = flexible_set(2)
    body["properties"] = {"orchestrationMode": "Flexible", "virtualMachineProfile": profile}
    shown = [
        {
            "name": name,
            "id": f"{COMPUTE}/virtualMachines/{name}",
            "properties": {"virtualMachineScaleSet": {"id": path}},
        }
        for name in ("set_1a2b3c4d", "set_5e6f7a8b")
    ]
    calls = [
        interaction("PUT", path, {}, body, 201),
        interaction("GET", f"{COMPUTE}/virtualMachines", {"value": shown}),
        interaction("GET", f"{COMPUTE}/virtualMachines/set_5e6f7a8b", shown[1]),
    ]
    replay = Replay(Recording("flexible", "azure-cli", calls))
    [_, listed, one] = replay.outcomes()
    assert len(replay.cloud.compute.vms) == 2
    named = [
        each for each in (*listed.differences, *one.differences) if each.startswith(("/id", "/name", "/value/*/id"))
    ]
    assert named == []
    assert not any(each.startswith("PUT ") for each in listed.differences), "no VM has entered"
    assert not one.differences[0].startswith("status")


def test_random_names_are_paired_like_guids():
    pairs = Pairs()
    assert list(pairs.join("set_1a2b3c4d", "set_00000001")) == []
    assert pairs.translate("/virtualMachines/set_1a2b3c4d/start") == "/virtualMachines/set_00000001/start"
    assert list(pairs.join("set_1a2b3c4d", "set_00000002")) == ["recorded 1a2b3c4d unchanged, ours changed to 00000002"]
