"""The presets are consistent with themselves and with the published figures."""

import pytest

from stillwatch.simulate.honest import FAMILIES
from stillwatch.simulate.presets import PRESETS
from stillwatch.simulate.recipes import RECIPES
from stillwatch.simulate.render import compile_templates


def test_shares_of_the_honest_families_sum_to_one():
    assert sum(family.accounts for family in FAMILIES) == pytest.approx(1, abs=1e-9)
    assert sum(family.exchanges for family in FAMILIES) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    ("preset", "accounts", "exchanges", "days"),
    [
        ("june-2026", 25_000, 28_800_000, 45),
        ("two-pools", 8_500, 151_000_000, 90),
        ("slow-slice", 5_380, 300_000, 10),
        ("trace-cleaning", 273, 770_609, 10),
        ("february-trio", 24_000, 16_150_000, 45),
    ],
)
def test_published_scales(preset, accounts, exchanges, days):
    attack = [p for p in PRESETS[preset].populations(1.0, 1.0) if p.campaign]
    assert sum(p.accounts for p in attack) == accounts
    assert sum(p.exchanges for p in attack) == exchanges
    assert PRESETS[preset].days == days


@pytest.mark.parametrize("preset", PRESETS)
def test_honest_numbers_come_out_exactly(preset):
    plan = PRESETS[preset]
    honest = [p for p in plan.populations(0.1, 2.0) if not p.campaign]
    assert sum(p.exchanges for p in honest) == round(plan.honest_exchanges * 0.2)
    assert len({p.name for p in honest}) == len(honest)


def test_every_recipe_uses_rules_that_exist():
    for recipe in RECIPES.values():
        compile_templates([recipe.system, recipe.first, recipe.later, recipe.answer])
        assert "{" not in recipe.system  # system prompts are written once for all who share them


def test_every_recipe_is_sent_by_somebody():
    sent = {
        name
        for preset in PRESETS.values()
        for population in preset.populations(1.0, 1.0)
        for traffic in population.traffic
        for name, _ in traffic.recipes
    }
    assert sent == set(RECIPES)
