"""Tags: which names a resource claims, whether it is drained, and what a person is told of what cannot be used."""

import pytest

from shared.azure.tags import claims, drained, names
from shared.config import values
from shared.config.settings import region_name

LLAMA = {"nearzone": "llama"}


@pytest.mark.parametrize("word", ["true", "TRUE", "True", " true ", "yes", "Yes", "1", "on", "ON", True, 1])
def test_every_word_for_yes_drains(word):
    tags = LLAMA | {"Nearzone-Drain": word}
    assert (drained(tags), names(tags, "a").faults) == (True, ())


@pytest.mark.parametrize("word", ["false", "No", "0", "off", "", "  ", None, False])
def test_every_word_for_no_does_not(word):
    tags = LLAMA | {"nearzone-drain": word}
    assert (drained(tags), names(tags, "a").faults) == (False, ())


@pytest.mark.parametrize("word", ["maybe", "ja", "truee", "2026-11-28", "true,"])
def test_any_other_word_drains_nothing_and_is_a_fault_that_names_the_words(word):
    tags = LLAMA | {"nearzone-drain": word}
    words = "says neither yes (true, yes, on, 1) nor no (false, no, off, 0), so it is not drained"
    fault = f"tag nearzone-drain: {word!r} {words}"
    assert (drained(tags), names(tags, "a")) == (False, (("llama",), "a", (fault,)))


@pytest.mark.parametrize(
    "text", ["llama;chat", "llama chat", "llama|chat", "llama\tchat", "llama / chat", "llama ; chat"]
)
def test_another_separator_than_a_comma_is_named(text):
    found = names({"nearzone": text}, "a")
    assert found.tagged == ()
    assert found.faults == (f"tag nearzone: {text.lower()!r} is not a DNS label: separate names by commas",)


def test_a_name_with_its_zone_is_told_to_be_without_and_the_others_count():
    found = names({"nearzone": "llama.ai.internal, chat"}, "a")
    fault = "tag nearzone: 'llama.ai.internal' is not a DNS label: write the name without the zone's name"
    assert found == (("chat",), "a", (fault,))


@pytest.mark.parametrize("text", ["*", "-x", "llama_70b", ".internal"])
def test_what_nobody_can_have_meant_is_only_named(text):
    assert names({"nearzone": text}, "a").faults == (f"tag nearzone: {text!r} is not a DNS label",)


@pytest.mark.parametrize(("text", "code"), [("\u212aimi", "212A"), ("chat@\u212a", "212A"), ("m\xfcller", "00FC")])
def test_a_character_that_only_lower_case_turns_into_ascii_is_refused_and_shown_by_its_code(text, code):
    """U+212A, the Kelvin sign, looks like a K, and its lower case is the ASCII k."""
    fault = f"tag nearzone: {text!r} is not a DNS label: its character 'U+{code}' is not ASCII"
    assert names({"nearzone": f"{text}, chat"}, "a") == (("chat",), "a", (fault,))


@pytest.mark.parametrize(
    ("convert", "text"),
    [
        (values.label, "\u212aimi"),
        (values.dns_name, "a.\u212aimi"),
        (values.region, "\u212aoreaCentral"),
        (values.watched, "managementGroups/\u212aimi"),
        (values.scope, "managementGroups/\u212aimi"),
        (values.scope, "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/\u212aimi"),
    ],
)
def test_the_settings_refuse_such_a_character_as_well(convert, text):
    assert "kimi" in convert(text.replace("\u212a", "K")) or convert is values.region
    with pytest.raises(ValueError, match=r"."):
        convert(text)


def test_the_name_of_a_resource_group_may_have_letters_of_other_alphabets():
    group = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/M\xdcller"
    assert values.scope(group) == group.lower()


def test_a_region_is_compared_in_ascii():
    assert (region_name("Korea Central"), region_name("\u212aorea")) == ("koreacentral", "\u212aorea")


def test_an_own_name_that_only_lower_case_turns_into_ascii_is_not_claimed():
    assert names({"nearzone": "chat"}, "\u212aimi").own is None


def test_an_empty_tag_claims_the_own_name_and_null_is_no_tag():
    assert names({"nearzone": ""}, "A") == ((), "a", ())
    assert not claims({"nearzone": None})
    assert claims({"nearzone": None, "NearZone": "llama"}), "another spelling of the same tag"
    assert names({"nearzone": None, "owner": None}, "a") == ((), None, ())


def test_faults_of_a_resource_that_has_not_opted_in_are_its_own_affair():
    assert names({"nearzone-drain": "maybe"}, "under_score").faults == ()
