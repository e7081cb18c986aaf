"""The context file: what is accepted, and that an error names the file and the field."""

import pytest

from nearzone_cli.contexts import load, use
from nearzone_cli.errors import UsageError

GOOD = """\
# our regions
current = "prod"

[contexts.prod.apps.westeurope]
url = "https://nearzone-weu.azurewebsites.net/"
key_env = "NEARZONE_KEY_WEU"

[contexts.prod.apps.eastus]
url = "https://nearzone-eus.azurewebsites.net"
key_command = ["az", "keyvault", "secret", "show"]
entra_scope = "api://1234/.default"
status.key_env = "NEARZONE_STATUS_KEY_EUS"

[contexts.local.apps.westeurope]
url = "http://127.0.0.1:7071"
key = "on-this-machine"
"""


def written(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_a_file_with_every_way_of_authentication_is_read(tmp_path):
    file = load(written(tmp_path, GOOD))
    weu, eus = file.chosen(None).apps
    assert (weu.url, weu.key.kind, weu.key.value) == (
        "https://nearzone-weu.azurewebsites.net",
        "env",
        "NEARZONE_KEY_WEU",
    )
    assert (eus.key.value[0], eus.entra_scope, eus.status_key.value) == (
        "az",
        "api://1234/.default",
        "NEARZONE_STATUS_KEY_EUS",
    )
    assert file.chosen("local").apps[0].key.value == "on-this-machine"


APP = '[contexts.a.apps.eastus]\nurl = "https://h"\n'


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("current = 1\n" + APP, "current: a text"),
        ("colour = 1\n" + APP, "colour: unknown field"),
        ("", "contexts: missing"),
        ("[contexts.a]\n", "contexts.a.apps: no app"),
        ("contexts = 1\n", "contexts: a table"),
        ("[contexts.a.apps]\neastus = 1\n", "contexts.a.apps.eastus: a table"),
        (APP, "contexts.a.apps.eastus: no way to authenticate"),
        (APP + 'key_env = "K"\nkey_command = ["x"]\n', "contexts.a.apps.eastus: key_env and key_command: only one"),
        (APP + 'key_env = ""\n', "contexts.a.apps.eastus.key_env: a text"),
        (APP + 'key_command = "az secret"\n', "contexts.a.apps.eastus.key_command: a list"),
        (APP + "key_command = []\n", "contexts.a.apps.eastus.key_command: a list"),
        (
            APP + 'key = "f00dcafe"\n',
            "contexts.a.apps.eastus.key: a key in the file is accepted for apps on this machine",
        ),
        (APP + 'status.key = "f00dcafe"\n', "contexts.a.apps.eastus.status.key: a key in the file"),
        (APP + 'function_key = "f00dcafe"\n', "contexts.a.apps.eastus: function_key: unknown field"),
        (APP.replace("https://h", "http://h") + 'key_env = "K"\n', "eastus.url: https is expected"),
        (APP.replace("https://h", "https://h/api") + 'key_env = "K"\n', "eastus.url: without /api"),
        (APP.replace("https://h", "https://h?code=f00dcafe") + 'key_env = "K"\n', "eastus.url: only https://HOST"),
        (APP.replace("https://h", "https://u:f00dcafe@h") + 'key_env = "K"\n', "eastus.url: only https://HOST"),
        (APP.replace("https://h", "https://h:99999") + 'key_env = "K"\n', "eastus.url: not a URL"),
        (APP.replace("https://h", "ftp://h") + 'key_env = "K"\n', "eastus.url: https://HOST"),
        (APP.replace('url = "https://h"\n', "") + 'key_env = "K"\n', "eastus.url: missing"),
        ("[contexts.a.apps.eastus\n", "line 1"),
    ],
)
def test_a_bad_file_is_refused_with_its_field_and_no_key_is_shown(tool, text, field):
    tool.config.write_text(text)
    said = tool("status")
    assert said.code == 64
    assert str(tool.config) in said.err
    assert field in said.err
    assert "f00dcafe" not in said.err + said.out
    assert "f00dcafe" not in tool("status", "--debug").err


def test_a_missing_file_shows_what_one_looks_like(tool):
    tool.config.unlink()
    said = tool("status")
    assert said.code == 64
    assert "[contexts.prod.apps.westeurope]" in said.err


def test_a_context_that_does_not_exist_is_refused_with_those_that_do(tool):
    assert "no context 'prod'; there are: test" in tool("status", "--context", "prod").err
    tool.config.write_text(tool.config.read_text().replace('current = "test"', 'current = "gone"'))
    assert (tool("status").code, tool("status", "--context", "test").code) == (64, 0)


def test_without_current_the_only_context_is_used_and_of_several_none(tool):
    text = tool.config.read_text().replace('current = "test"', "")
    tool.config.write_text(text)
    assert tool("status").code == 0
    tool.config.write_text(text + text.replace("contexts.test", "contexts.other"))
    said = tool("status")
    assert (said.code, "current: missing" in said.err) == (64, True)


def test_use_changes_the_current_context_and_nothing_else(tmp_path):
    path = written(tmp_path, GOOD)
    path.chmod(0o600)
    use(path, "local")
    assert path.read_text() == GOOD.replace('current = "prod"', 'current = "local"')
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["config.toml"]
    with pytest.raises(UsageError, match="no context 'gone'"):
        use(path, "gone")


def test_use_adds_the_line_where_the_file_has_none(tmp_path):
    path = written(tmp_path, GOOD.replace('current = "prod"\n', ""))
    use(path, "local")
    assert load(path).current == "local"


def test_the_contexts_are_listed_and_shown_without_keys(tool):
    text = tool.config.read_text()
    tool.config.write_text(text + '[contexts.local.apps.x]\nurl = "http://localhost:1"\nkey = "f00dcafe"\n')
    assert "* test" in " ".join(tool("context", "list").out.split())
    assert tool("context", "list", "-o", "json").json["contexts"]["local"] == ["x"]
    shown = tool("context", "show", "--context", "local")
    assert (shown.code, "key in the file" in shown.out, "f00dcafe" in shown.out + shown.err) == (0, True, False)
    apps = tool("context", "show", "-o", "json").json["apps"]
    assert apps["eastus"]["authentication"] == ["key from $KEY_EASTUS"]
    assert tool("context", "use", "local").code == 0
    assert tool("context", "list", "-o", "json").json["current"] == "local"
