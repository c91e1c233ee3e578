"""`ganctl list runs`: the last scores stand in the table; sorted by one, the best come first, conditions apart."""

from dataclasses import replace

import pytest

from ganctl.commands.runtable import describe_runs
from ganctl.errors import UserError
from ganctl.metrics.contract import Contract, Score
from ganctl.metrics.evaluation import FILE, Evaluation, append
from ganctl.runs import store
from ganctl.runs.figures import last_figures, telling

TERMS = Contract("mnist", "1", "train", 100, 200, "classifier", "abcdef0123", "none", "float32", True, 0, "v1")


def make_run(outputs, name, fd=None, terms=TERMS, **others):
    run = store.create(outputs, name, {"model": {}}, {"model": "gan", "dataset": "mnist"}, images=640)
    run.metrics_file.write_text("images_seen,rounds,generator/adversarial,discriminator/wins\n64,1,2.0,0.5\n")
    scores = ({} if fd is None else {"fd": fd}) | others
    for seen, factor in ((32, 2.0), (64, 1.0)):
        if scores:
            taken = tuple(
                Score(key, "FD-classifier" if key == "fd" else key, value * factor, terms)
                for key, value in scores.items()
            )
            append(run.folder / FILE, Evaluation(seen, taken))
    store.update_status(run, state="finished", images_seen=64)
    return run


def order(told):
    return [row.split()[0] for row in told.splitlines() if row]


def test_the_last_scores_are_figures_and_are_told_before_losses(tmp_path):
    run = make_run(tmp_path, "a", 30.0, precision=0.5)
    found = last_figures(run)
    assert found == {"generator/adversarial": 2.0, "discriminator/wins": 0.5, "fd": 30.0, "precision": 0.5}
    assert telling(found) == {"fd": 30.0, "precision": 0.5}
    assert describe_runs(outputs=tmp_path).endswith("FD-classifier 30  precision 0.5")


def test_of_scores_into_several_domains_the_means_are_told(tmp_path):
    single = {"kd/red": 0.1, "conditional/red": 0.9, "conditional/-red": 0.5}
    make_run(tmp_path, "a", kd=0.2, conditional=0.7, **single)
    assert describe_runs(outputs=tmp_path).endswith("  kd 0.2  conditional 0.7")


def test_a_single_score_is_no_loss():
    assert telling({"generator/adversarial": 2.0, "conditional/red": 0.9, "l1": 0.1}) == {"generator/adversarial": 2.0}


def test_sorted_by_a_score_the_best_come_first_whatever_better_means(tmp_path):
    make_run(tmp_path, "a", 30.0, precision=0.9)
    make_run(tmp_path, "b", 20.0, precision=0.5)
    make_run(tmp_path, "c")
    assert order(describe_runs("fd", tmp_path)) == ["run", "b", "a", "c"]
    assert order(describe_runs("FD-classifier", tmp_path)) == ["run", "b", "a", "c"]
    assert order(describe_runs("-fd", tmp_path)) == ["run", "a", "b", "c"]
    assert order(describe_runs("precision", tmp_path)) == ["run", "a", "b", "c"]


def test_scores_of_different_conditions_stand_apart(tmp_path):
    make_run(tmp_path, "a", 30.0)
    make_run(tmp_path, "b", 20.0, replace(TERMS, count=500))
    make_run(tmp_path, "c", 25.0)
    make_run(tmp_path, "d")
    told = describe_runs("fd", tmp_path)
    assert "FD-classifier: 200 samples (seed 0) against mnist, train, by classifier abcdef01" in told
    rows = order(told)
    assert rows.index("a") == rows.index("c") + 1  # one heading holds both, and b, though lower, does not come between
    assert "without fd" in told


def test_the_figure_that_the_runs_are_sorted_by_is_shown_first(tmp_path):
    make_run(tmp_path, "a", 30.0, precision=0.9, recall=0.5, covered=7, duplicates=0.25)
    assert describe_runs(outputs=tmp_path).endswith("FD-classifier 30  precision 0.9  recall 0.5  covered 7")
    for sort in ("duplicates", "-duplicates"):
        assert describe_runs(sort, tmp_path).endswith("  duplicates 0.25  FD-classifier 30  precision 0.9  recall 0.5")
    assert "  generator/adversarial 2  FD-classifier 30" in describe_runs("generator/adversarial", tmp_path)


def test_the_score_that_chose_the_best_checkpoint_is_shown_first(tmp_path):
    run = make_run(tmp_path, "a", 30.0, precision=0.9, recall=0.5, covered=7, duplicates=0.25)
    store.write_result(run, {"best": {"key": "duplicates", "value": 0.25}})
    assert "  duplicates 0.25  FD-classifier 30" in describe_runs(outputs=tmp_path)
    assert "  precision 0.9  FD-classifier 30" in describe_runs("precision", tmp_path)


def test_sorted_by_a_name_the_last_score_so_called_counts(tmp_path):
    make_run(tmp_path, "a", 30.0)
    again = make_run(tmp_path, "b", 20.0)
    other = Score("fd", "FD-random", 1.0, replace(TERMS, extractor="random"))
    append(again.folder / FILE, Evaluation(64, (other,)))
    told = describe_runs("FD-classifier", tmp_path)
    assert order(told) == ["run", "b", "a"]
    assert "FD-classifier 20" in told


def test_an_unknown_order_names_the_nearest(tmp_path):
    make_run(tmp_path, "a", 30.0, precision=0.9)
    with pytest.raises(UserError, match="sort=precison: no run has that; did you mean 'precision'"):
        describe_runs("precison", tmp_path)
