"""The oracle under many more kills, and KerasTuner's Bayesian optimization under a chief."""

import pytest
from oracle_searches import trials_on_disk
from test_oracle_kills import killed_searches
from test_oracle_parallel import cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_no_line_of_the_bookkeeping_is_a_bad_one_to_die_at(tmp_path):
    """The first kill of each search goes through the lines one in three, further ones anywhere."""
    done = killed_searches(tmp_path, "lines", 2000)
    assert done["kills"] >= 2000


@pytest.mark.parametrize("kind", ["torn", "times", "lines"])
@pytest.mark.parametrize("threads", [1, 3])
def test_long_sequences_of_kills_lose_and_repeat_nothing(tmp_path, kind, threads):
    """Several tuners in threads or one, with retries, divergence and crashes."""
    outcomes = {"0": 0.01, "1": "nan", "2": 0.02, "5": "crash", "7": 0.01}
    killed_searches(
        tmp_path,
        kind,
        200,
        length=9,
        threads=threads,
        outcomes=outcomes,
        max_trials=11 if threads == 1 else None,
        after_list="sample" if threads == 1 else "stop",
        max_retries_per_trial=1 if threads == 1 else 0,
    )


def test_bayesian_optimization_follows_the_list_under_a_chief(tmp_path):
    """The hand-over works where the chief proposes and two workers report."""
    folder = tmp_path / "search"
    options = {"length": 4, "max_trials": 9, "after_list": "bayesian", "seed": 0}
    with cluster(folder, **options, meet=True, log=str(tmp_path / "log")) as start:
        processes = [start("chief"), start("worker0"), start("worker1")]
        assert [process.wait(300) for process in processes] == [0, 0, 0]
    trials = list(trials_on_disk(folder).values())
    assert [trial["status"] for trial in trials] == ["COMPLETED"] * 9
    # Two proposals may meet at a bound of one hyperparameter, not in all of them.
    configurations = {str(sorted(t["hyperparameters"]["values"].items())) for t in trials}
    assert len(configurations) == 9
