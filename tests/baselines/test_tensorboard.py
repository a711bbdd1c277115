"""What TensorBoard gets from every learner, read back with TensorBoard's own readers."""

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
from tensorboard.plugins.projector import ProjectorConfig
from tensorboard.util.tensor_util import make_ndarray

from labelchain.agents import final_summaries
from labelchain.agents.runs import Run
from labelchain.agents.sb3 import ALGORITHMS
from labelchain.agents.settings import Settings
from labelchain.baselines.comparison import compare
from labelchain.baselines.learners import LEARNERS, fit
from labelchain.envs.metrics import CHAIN_METRICS, LABEL_SET_METRICS, RANKING_METRICS

TINY = Settings(width=8, epochs=2, batch_size=16, sb3_steps=4096)
TRAINING_ROWS = 36
METRICS = (*RANKING_METRICS, *LABEL_SET_METRICS)
SCORES = (
    "popularity",
    "binary-relevance",
    "tuned-binary-relevance",
    "classifier-chain",
    "ensemble-of-chains",
)


def silent(share, note):
    """A progress callback that shows nothing."""


def events_of(run):
    events = EventAccumulator(str(run.directory), {"images": 0})
    events.Reload()
    return events


def scalars(events, tag):
    return [(event.step, event.value) for event in events.Scalars(tag)]


@pytest.mark.parametrize("learner", [name for name, learner in LEARNERS.items() if len(learner.parts) < 10])
def test_every_learner_shows_the_same(tmp_path, dataset, learner):
    run = Run(tmp_path, learner, "random", 0, TINY)
    fit(run, dataset, silent)
    events = events_of(run)
    assert_common_tags(set(events.Tags()["scalars"]))
    if learner not in ALGORITHMS:
        assert_finite_curves(events, learner)
    assert_order_image(events, tmp_path / "order.png")
    assert_chains_as_text(events)
    assert_precision_recall(events, dataset)
    assert_projector(run, dataset)
    assert sum(path.stat().st_size for path in tmp_path.glob("events*")) < 200_000


def assert_common_tags(tags):
    wanted = {f"{kind}/{metric}" for kind in ("eval", "test") for metric in METRICS}
    wanted |= {f"chain/{metric}" for metric in CHAIN_METRICS}
    wanted |= {"rollout/ep_rew_mean", "rollout/ep_len_mean", "time/seconds"}
    assert wanted <= tags
    assert any(tag.startswith("train/") for tag in tags)
    assert not {f"eval/{metric}" for metric in CHAIN_METRICS} & tags


def assert_finite_curves(events, learner):
    """The figures of learning are there at the inputs seen."""
    tags = ["rollout/ep_rew_mean", "rollout/ep_len_mean", "train/nDCG@5", "chain/length", "time/seconds"]
    if learner in SCORES:
        steps = [TRAINING_ROWS]
        tags += ["time/inputs_per_second"]
    elif LEARNERS[learner].parts:
        steps = [TINY.epochs * TRAINING_ROWS * len(LEARNERS[learner].parts)]
    else:
        steps = [TRAINING_ROWS, 2 * TRAINING_ROWS]
        tags += ["train/loss", "time/inputs_per_second", "time/env_steps"]
    for tag in tags:
        curve = scalars(events, tag)
        assert [step for step, _ in curve] == steps, tag
        assert np.isfinite([value for _, value in curve]).all(), tag
    seconds = [value for _, value in scalars(events, "time/seconds")]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def assert_order_image(events, path):
    path.write_bytes(events.Images("which labels go first")[-1].encoded_image_string)
    with Image.open(path) as image:
        assert image.size == (600, 800)
        assert np.asarray(image).std() > 5


def assert_chains_as_text(events):
    assert {"config/text_summary", "custom_scalars__config__"} <= set(events.Tags()["tensors"])
    table = make_ndarray(events.Tensors("chains/text_summary")[-1].tensor_proto).item().decode()
    assert len(table.splitlines()) == 2 + 12


def assert_precision_recall(events, dataset):
    truth = dataset.labels[dataset.rows("test")]
    curves = {tag for tag in events.Tags()["tensors"] if tag.startswith("precision-recall/")}
    assert curves == {f"precision-recall/label label {i}" for i in range(5)} | {"precision-recall/all labels"}
    for tag in curves:
        positives = truth.nnz if tag.endswith("all labels") else truth[:, [int(tag[-1])]].nnz
        right, _, _, missed, precision, recall = make_ndarray(events.Tensors(tag)[-1].tensor_proto)
        np.testing.assert_array_equal(right + missed, positives)
        assert recall[0] == 1.0
        assert ((precision >= 0) & (precision <= 1)).all()


def assert_projector(run, dataset):
    """It has the labels of runs with one network."""
    config = run.directory / "projector_config.pbtxt"
    assert config.exists() == ((run.directory / "model.pt").exists() and not LEARNERS[run.learner].parts)
    if config.exists():
        embedding = text_format.Parse(config.read_text(), ProjectorConfig()).embeddings[0]
        assert np.loadtxt(run.directory / embedding.tensor_path, delimiter="\t").shape == (5, 8)
        heading, *lines = (run.directory / embedding.metadata_path).read_text().splitlines()
        assert heading == "label\ttraining frequency"
        counts = zip(dataset.label_names, dataset.label_frequencies("train").tolist(), strict=True)
        assert lines == [f"{name}\t{count}" for name, count in sorted(counts, key=lambda item: -item[1])]


def test_the_hparams_tab_shows_the_final_metrics_of_a_whole_comparison(tmp_path, dataset):
    folder, names = tmp_path, ("popularity", "binary-relevance", "freq2rare")
    results = compare(dataset, "random", names, 2, TINY, folder, lambda *_: silent)
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    context = backend_context.Context(
        TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(folder)))
    )
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0, slice_size=100, allowed_statuses=[api_pb2.STATUS_SUCCESS]
    )
    ctx = RequestContext()
    groups = list_session_groups.Handler(ctx, context, "", request).run().session_groups
    assert len(groups) == 2 * len(names)
    for group in groups:
        learner, seed = group.hparams["learner"].string_value, int(group.hparams["seed"].number_value)
        assert group.hparams["width"].number_value == 8
        found = {value.name.tag: value.value for value in group.metric_values}
        for metric in METRICS:
            wanted = results["learners"][learner][metric]["values"][seed]
            assert found[f"test/{metric}"] == pytest.approx(wanted, rel=1e-5)
    every = context.hparams_metadata(ctx, "")
    experiment = context.experiment_from_metadata(ctx, "", True, every, [])
    shown = [info.name for info in experiment.hparam_infos]
    assert shown[:3] == ["dataset", "learner", "seed"]
    assert set(shown[3:]) == set(Settings.__dataclass_fields__)
    assert [info.name.tag for info in experiment.metric_infos][:5] == [f"test/{m}" for m in RANKING_METRICS]


def test_a_run_stopped_while_its_end_is_logged_logs_it_once(make_run, dataset, monkeypatch):
    run = make_run("always-random", epochs=1)

    def interrupt(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(final_summaries, "label_scores", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(run, dataset, silent)
    fit(run, dataset, silent)
    events = EventAccumulator(str(run.directory))
    events.Reload()
    assert len(events.Scalars("test/P@1")) == len(events.Images("which labels go first")) == 1
