"""Each family shows the mark that detection has to live with."""

import json
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from stillwatch.simulate.world import simulate


def joined(world: Path) -> pa.Table:
    log = ds.dataset(sorted(world.glob("exchanges-*.parquet"))).to_table()
    truth = pq.read_table(world / "truth.parquet", columns=["account_id", "kind", "campaign"])
    people = pq.read_table(world / "accounts.parquet")
    attacks = pq.read_table(world / "truth_exchanges.parquet")["request_id"].combine_chunks()
    return (
        log.append_column("attack", pc.is_in(log["request_id"], attacks))
        .join(truth, "account_id")
        .join(people, "account_id")
        .sort_by("timestamp")
    )


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    out = tmp_path_factory.mktemp("families") / "world"
    simulate("families", scale=0.6, seed=11, honest=0.5, out=out)
    return joined(out)


def of_kind(log: pa.Table, kind: str) -> pa.Table:
    return log.filter(pc.equal(log["kind"], kind))


def of_campaign(log: pa.Table, campaign: str) -> pa.Table:
    return log.filter(pc.and_(pc.equal(log["campaign"], campaign), log["attack"]))


def newest(log: pa.Table) -> list[str]:
    return [json.loads(text)[-1]["content"] for text in log["messages"].to_pylist()]


def hours(log: pa.Table) -> np.ndarray:
    return np.bincount(pc.hour(log["timestamp"]).to_numpy(), minlength=24) / log.num_rows


def holders(log: pa.Table, column: str) -> dict[str, set[str]]:
    """Accounts per value of a column."""
    found = defaultdict(set)
    for value, account in zip(log[column].to_pylist(), log["account_id"].to_pylist(), strict=True):
        found[value].add(account)
    found.pop(None, None)
    return found


def test_all_kinds_are_there(families):
    assert set(families["kind"].to_pylist()) == {
        "individual", "app_user", "company_seat", "pipeline", "student", "evaluator", "judge",
        "template_user", "harness_user", "ci_agent", "aggregator", "copycat", "resale", "attack",
    }  # fmt: skip


def test_people_sleep_and_queues_do_not(families):
    korean = of_kind(families, "individual").filter(pc.field("country") == "KR")
    local = np.roll(hours(korean), 9)
    assert local[2:6].sum() < 0.12 < local[19:23].sum()
    load = hours(of_campaign(families, "A-elicitation"))
    assert load[2:6].sum() > 0.12 < load[14:18].sum()


def test_activity_of_people_is_uneven_and_of_a_queue_even(families):
    people = list(Counter(of_kind(families, "individual")["account_id"].to_pylist()).values())
    workers = list(Counter(of_campaign(families, "A-elicitation")["account_id"].to_pylist()).values())
    assert max(people) > 8 * np.median(people)
    assert max(workers) < 2 * np.median(workers)


def test_a_class_asks_the_same_questions_in_the_same_hours(families):
    class_ = of_kind(families, "student")
    assert max(Counter(newest(class_)).values()) >= 5
    assert max(len(accounts) for accounts in holders(class_, "ip").values()) >= 5
    assert set(class_["programme"].to_pylist()) == {"education"}
    assert class_.num_rows > 1.2 * len(set(newest(class_)))


def test_a_company_shares_card_office_and_template(families):
    seats = of_kind(families, "company_seat")
    cards = holders(seats, "payment_fingerprint")
    organizations = holders(seats, "organization")
    assert sorted(map(len, cards.values())) == sorted(map(len, organizations.values()))
    assert max(map(len, organizations.values())) >= 10
    prompts = {
        (json.loads(text)[0]["content"], name)
        for text, name in zip(seats["messages"].to_pylist(), seats["organization"].to_pylist(), strict=True)
    }
    assert len(prompts) == len(organizations)


def test_strangers_share_a_client_and_its_prompt(families):
    users = of_kind(families, "app_user")
    prompts = Counter(json.loads(text)[0]["content"] for text in users["messages"].to_pylist())
    assert len(prompts) <= 24
    assert len(holders(users, "payment_fingerprint")) > 0.7 * len(set(users["account_id"].to_pylist()))


def test_continuous_integration_comes_from_everywhere(families):
    runners = of_kind(families, "ci_agent")
    assert pc.count_distinct(runners["ip"]).as_py() > 5 * pc.count_distinct(runners["account_id"]).as_py()
    assert runners["tools"].null_count == 0


def test_campaigns_take_payloads_from_a_large_set(families):
    for campaign in ("A-elicitation", "B-generation", "E-paraphrased", "F-grading"):
        texts = newest(of_campaign(families, campaign))
        assert len(set(texts)) > 0.99 * len(texts), campaign


def test_a_fixed_scaffold_is_fixed_and_a_paraphrased_one_is_not(families):
    def heads(campaign):
        return Counter(" ".join(text.split()[:6]) for text in newest(of_campaign(families, campaign)))

    assert max(heads("A-elicitation").values()) > 1_000
    assert len(heads("E-paraphrased")) > 100


def test_the_farm_has_one_device_and_few_addresses(families):
    farm = of_campaign(families, "B-generation")
    assert pc.count_distinct(farm["device_fingerprint"]).as_py() == 1
    assert pc.count_distinct(farm["ip"]).as_py() <= 12


def test_resold_traffic_hides_most_of_a_mixed_account(families):
    mixed = families.filter(pc.equal(families["campaign"], "D-mixed"))
    share = pc.mean(mixed["attack"].cast(pa.int8())).as_py()
    assert share == pytest.approx(0.2, abs=0.01)
    own = of_campaign(families, "D-mixed")
    assert pc.count_distinct(own["account_id"]).as_py() == pc.count_distinct(mixed["account_id"]).as_py()


def test_trajectories_move_between_accounts(families):
    runs = defaultdict(set)
    for row in of_campaign(families, "G-trajectories").select(["messages", "account_id"]).to_pylist():
        runs[json.loads(row["messages"])[1]["content"]].add(row["account_id"])
    assert np.mean([len(accounts) > 1 for accounts in runs.values()]) > 0.3


def test_a_standby_pool_takes_over_within_hours_of_the_ban(families):
    pools = of_campaign(families, "H-failover")
    refused = pools.filter(pc.field("status") == 403)
    ban = np.quantile(refused["timestamp"].cast(pa.int64()).to_numpy(), 0.5)
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for account, time in zip(
        pools["account_id"].to_pylist(), pools["timestamp"].cast(pa.int64()).to_pylist(), strict=True
    ):
        first.setdefault(account, time)
        last[account] = time
    hour = 3600 * 1_000_000
    sleepers = {account for account, time in first.items() if time > ban - 2 * hour}
    banned = {account for account, time in last.items() if time < ban + 4 * hour}
    assert len(sleepers) == pytest.approx(len(first) / 2, abs=4)
    assert not sleepers & banned
    gaps = [b - a for a, b in pairwise(pools["timestamp"].cast(pa.int64()).to_pylist())]
    assert max(gaps) < 12 * hour


def test_half_of_a_pivot_moves_to_the_new_model_within_a_day(families):
    pivot = of_campaign(families, "I-pivot")
    days = pc.floor_temporal(pivot["timestamp"], unit="day").to_pylist()
    new = defaultdict(list)
    for day, model in zip(days, pivot["model"].to_pylist(), strict=True):
        new[day].append(model == "m-large-5")
    shares = [np.mean(new[day]) for day in sorted(new)]
    assert max(shares[:16]) < 0.02
    assert min(shares[19:]) > 0.3


def test_replayed_prompts_go_through_one_harness(families):
    replay = of_campaign(families, "J-replay")
    assert len({json.loads(text)[0]["content"] for text in replay["messages"].to_pylist()}) == 1
    assert len(set(newest(replay))) > 0.99 * replay.num_rows


def test_programme_abuse_comes_in_through_the_programme(families):
    abused = of_campaign(families, "L-programme")
    assert set(abused["programme"].to_pylist()) == {"research"}
    assert set(abused["plan"].to_pylist()) == {"free"}


def test_copycats_word_the_prompt_as_the_operator_does(families):
    def heads(log):
        return Counter(" ".join(text.split()[:6]) for text in newest(log))

    operator = heads(of_campaign(families, "C-slow"))
    fans = heads(of_kind(families, "copycat"))
    assert sum(count for head, count in fans.items() if operator[head] > 50) > 10


def test_quiet_worlds_have_no_campaign(tmp_path):
    world = simulate("quiet", scale=0.02, seed=3, honest=1.0, out=tmp_path / "w")
    assert world.attack_exchanges == 0
    assert world.campaigns == {}
    assert pq.read_table(tmp_path / "w" / "truth_exchanges.parquet").num_rows == 0
