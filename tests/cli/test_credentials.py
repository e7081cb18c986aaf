"""Keys and tokens reach the app in headers, and nothing else."""

import sys

import pytest

from nearzone_cli.contexts import App
from nearzone_cli.credentials import Secrets
from tests.cli.tool import TOKEN


def with_line(tool, region, line):
    """The context file with another way of authentication for one app."""
    before = f'key_env = "KEY_{region.upper()}"'
    text = tool.config.read_text()
    assert before in text
    tool.config.write_text(text.replace(before, line))


def test_a_key_comes_from_a_command(tool, apps):
    script = tool.config.with_name("key.py")
    script.write_text(f"print({apps['eastus'].key!r})")
    with_line(tool, "eastus", f'key_command = ["{sys.executable}", "{script}"]')
    assert tool("status").code == 0


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (
            "import sys; print('f00dcafe'); print('no such vault', file=sys.stderr); sys.exit(3)",
            "failed (3): no such vault",
        ),
        ("import sys; print('f00dcafe'); sys.exit('bad key: f00dcafe')", "failed (1): bad key: ***"),
        ("import sys; print('k=\"f00dcafe==\"'); sys.exit('no f00dcafe==')", "failed (1): no ***"),
        ("import sys; print('f00dcafe'); sys.exit('x' * 295 + ' f00dcafe')", "xxx ***"),
        ("print('f00dcafe two words')", "is not one key"),
        ("print('f00d\\x00cafe')", "is not one key"),
        ("pass", "is not one key"),
    ],
)
def test_a_command_that_fails_costs_one_app_and_its_output_is_not_shown(tool, program, says):
    script = tool.config.with_name("key.py")
    script.write_text(program)
    with_line(tool, "eastus", f'key_command = ["{sys.executable}", "{script}"]')
    said = tool("status", "--debug")
    assert said.code == 1
    assert says in " ".join(said.out.split())
    assert "f00d" not in said.out + said.err
    assert "17 serving" in said.out, "the other apps were not asked"


def test_a_command_that_fails_shows_no_key_of_any_app(tool, apps):
    """Also not the beginning of one, and not of an app that this run does not ask."""
    script, keys = tool.config.with_name("key.py"), [app.key for app in apps.values()]
    script.write_text(f"import sys; sys.exit('{' '.join(keys)} ' + 'x' * 264 + ' {apps['westeurope'].key}')")
    with_line(tool, "eastus", f'key_env = "KEY_EASTUS"\nstatus.key_command = ["{sys.executable}", "{script}"]')
    for form in ("table", "json"):
        said = tool("status", "--region", "eastus", "-o", form, "--debug")
        assert said.code == 1
        assert "*********xxx" in "".join(said.out.split())
        assert "key-of" not in "".join((said.out + said.err).split())


def test_a_missing_program_and_a_missing_variable_are_named(tool):
    with_line(tool, "eastus", 'key_command = ["no-such-program-here"]')
    del tool.environ["KEY_WESTEUROPE"]
    said = tool("status")
    text = " ".join(said.out.split())
    assert said.code == 1
    assert "no program 'no-such-program-here'" in text
    assert "the environment variable KEY_WESTEUROPE (key_env) is not set" in text


def test_a_key_for_status_is_used_for_reads_alone(tool, apps):
    with_line(tool, "eastus", 'key_env = "KEY_EASTUS"\nstatus.key_env = "READS"')
    tool.environ["READS"] = "wrong"
    said = tool("status", "-o", "json")
    assert said.json["apps"]["eastus"]["status"] == 401
    assert tool("sync", "--region", "eastus").code == 0
    with_line_reads = tool.config.read_text().replace('key_env = "KEY_EASTUS"\nstatus', "status")
    tool.config.write_text(with_line_reads)
    assert "a key of eastus for status only" in " ".join(tool("sync", "--region", "eastus").out.split())
    assert apps["eastus"].orders == [{}]


def test_a_token_goes_beside_the_key(tool, apps):
    with_line(tool, "eastus", 'key_env = "KEY_EASTUS"\nentra_scope = "api://1/.default"')
    assert tool("status").code == 0
    assert apps["eastus"].tokens[-1] == f"Bearer {TOKEN}"
    assert apps["westeurope"].tokens[-1] is None


def test_a_token_is_found_once_and_renewed_before_it_expires():
    now, given = [0.0], []

    def token(scope):
        given.append(f"token-{len(given)}")
        return given[-1], now[0] + 3600

    secrets = Secrets({}, token, lambda: now[0])
    app = App("eastus", "https://h", entra_scope="api://1")
    assert [secrets.headers(app, reads=True)["authorization"] for _ in range(2)] == ["Bearer token-0"] * 2
    now[0] = 3400.0
    assert secrets.headers(app, reads=True)["authorization"] == "Bearer token-1"
    assert secrets.hide("token-0 token-1") == "*** ***", "the old one is hidden, too"


@pytest.mark.parametrize("kind", ["ok", "401", "echo", "broken"])
@pytest.mark.parametrize("form", ["table", "json"])
def test_no_secret_is_ever_printed(tool, apps, kind, form):
    """Not in results, errors or stack traces; even if an app answers with the key that it got."""
    with_line(tool, "eastus", 'key_env = "KEY_EASTUS"\nentra_scope = "api://1/.default"')
    app = apps["eastus"]
    if kind == "401":
        tool.environ["KEY_EASTUS"] = "wrong-f00dcafe"
    elif kind == "echo":
        app.trouble = (503, "application/json", f'{{"error": "{app.key} {TOKEN} are yours"}}')
    elif kind == "broken":
        app.trouble = (200, "application/json", "{}")
    said = tool("explain", "llama-70b", "--debug", "-o", form)
    assert (said.code == 0) is (kind == "ok")
    for secret in (*(each.key for each in apps.values()), TOKEN, "f00dcafe"):
        assert secret not in said.out + said.err
    assert "Traceback" not in said.out


def test_no_secret_is_in_the_text_of_an_object():
    secrets = Secrets({}, lambda _: (TOKEN, 0.0), lambda: 0.0)
    secrets._once("a", lambda: ("f00dcafe", 1e9))
    assert "f00dcafe" not in repr(secrets)


def test_a_redirect_is_not_followed_because_it_would_carry_the_key_away(tool, apps):
    apps["eastus"].trouble, apps["eastus"].location = (302, "", ""), f"{apps['westeurope'].url}/api/status"
    assert tool("status", "-r", "eastus").code == 3
    assert apps["westeurope"].tokens == [], "another address was asked"
