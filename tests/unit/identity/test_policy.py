"""The section [identity] of the policy file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pipeline.errors import InvalidInput
from pipeline.identity.policy import DEFAULTS, IdentityPolicy, TypePolicy, parse
from pipeline.journey import policy

DAY = 86_400_000


def test_the_file_that_ships_shows_the_defaults() -> None:
    shipped = policy.read(None).identity
    assert shipped == IdentityPolicy(by_type=DEFAULTS)
    assert policy.parse({}).identity == IdentityPolicy()
    for name in (*DEFAULTS, "passport"):
        assert shipped.of_type(name) == IdentityPolicy().of_type(name)


def test_cookies_and_devices_are_held_for_a_while_and_all_else_without_end() -> None:
    known = IdentityPolicy()
    assert known.of_type("anonymous") == TypePolicy(hold_ms=180 * DAY, lookback_ms=30 * DAY, shared_above=5)
    assert known.of_type("device") == TypePolicy(hold_ms=90 * DAY, lookback_ms=30 * DAY, shared_above=5)
    assert known.of_type("loyalty") == TypePolicy(hold_ms=None, lookback_ms=None, shared_above=1)
    assert known.of_type("passport") == TypePolicy(hold_ms=None, lookback_ms=None, shared_above=5)


def test_what_is_set_holds_and_the_rest_is_as_by_default(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        '[identity]\nstretch = "1h"\nfinal_after = "3660d"\nnobody = [" N/A "]\n'
        '[identity.type.anonymous]\nhold = "unlimited"\n[identity.type.passport]\nlookback = "2d"\nshared_above = 1\n'
    )
    read = policy.read(file).identity
    assert (read.stretch_ms, read.final_after_ms, read.nobody) == (3_600_000, 3_660 * DAY, {"n/a"})
    assert read.of_type("anonymous") == TypePolicy(hold_ms=None, lookback_ms=30 * DAY, shared_above=5)
    assert read.of_type("passport") == TypePolicy(hold_ms=None, lookback_ms=2 * DAY, shared_above=1)


def test_trust_is_by_kind_else_by_channel_else_by_source_else_the_catalogues() -> None:
    known = parse(
        tomllib.loads(
            '[trust.kind]\npage_viewed = "none"\n[trust.channel]\nweb = "declared"\n[trust.source]\nshop = "verified"\n'
        )
    )
    assert known.trust("page_viewed", "web", "shop", "verified") == "none"
    assert known.trust("cart_added", "web", "shop", "verified") == "declared"
    assert known.trust("cart_added", "app", "shop", "declared") == "verified"
    assert known.trust("cart_added", "app", "pbx", "declared") == "declared"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("identity = 1", "[identity] must be a table"),
        ("[identity]\nhold = 1", "[identity] has unknown hold; it takes final_after, nobody, stretch, trust, type"),
        ('[identity]\nstretch = "soon"', "[identity] stretch is 'soon'"),
        ('[identity]\nfinal_after = "3661d"', "[identity] final_after is '3661d'; at most 3660d"),
        ('[identity]\nnobody = "n/a"', "[identity] nobody must be a list of texts"),
        ("[identity]\nnobody = [0]", "[identity] nobody must be a list of texts"),
        ("[identity]\ntype = 1", "[identity.type] must be a table"),
        ("[identity.type]\nemail = 1", "[identity.type.email] must be a table"),
        ('[identity.type.email]\nkeep = "1d"', "[identity.type.email] has unknown keep"),
        ("[identity.type.email]\nhold = 1", '[identity.type.email] hold ("unlimited" or a duration) is 1'),
        ('[identity.type.email]\nlookback = "ever"', "[identity.type.email] lookback"),
        ("[identity.type.email]\nshared_above = 0", "[identity.type.email] shared_above is 0"),
        ("[identity.type.email]\nshared_above = true", "[identity.type.email] shared_above is True"),
        ('[identity.type.customer]\nhold = "1d"', "[identity.type.customer]: a customer's number is held by nobody"),
        ("[identity.trust]\nhost = 1", "[identity.trust] has unknown host"),
        ("[identity.trust]\nkind = 1", "[identity.trust.kind] must be a table"),
        ('[identity.trust.kind]\n"Page Viewed" = "none"', "[identity.trust.kind] Page Viewed: kind is not snake_case"),
        ('[identity.trust.channel]\nfax = "none"', "[identity.trust.channel] has the unknown channel fax"),
        ('[identity.trust.source]\n"" = "none"', "[identity.trust.source] : source is empty"),
        ('[identity.trust.source]\nshop = "sure"', "[identity.trust.source] shop is 'sure'; it takes one of verified"),
        ("[identity.trust.source]\nshop = []", "[identity.trust.source] shop is []"),
    ],
)
def test_a_wrong_section_is_refused_with_the_place_that_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(InvalidInput) as error:
        policy.read(file)
    assert said in str(error.value)
