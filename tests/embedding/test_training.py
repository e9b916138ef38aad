"""The network of `builtin` and its figures: trained on features made here, packed, read back."""

import numpy as np
import pytest
import torch

from embedding.builtin.class_vectors import load_class_vectors
from embedding.builtin.concepts import Concepts, load_concepts
from embedding.builtin.model import read_weights
from embedding.builtin.texts import normalise
from embedding.builtin.training import drawings, evaluate, measures, texts
from embedding.builtin.training.clothes import CLASSES
from embedding.builtin.training.data import FeatureSet, TrainingData
from embedding.builtin.training.pack import look_axes, pack
from embedding.builtin.training.train import Batches, Classifier, Recipe, fit


def made_data(rng, drawn=3):
    """Features in which a concept, or a class of clothes, is one strong direction."""

    def feature_set(count):
        labels = np.repeat(np.arange(count), 4)
        rows = rng.uniform(0, 0.2, (len(labels), 1280)).astype(np.float32)
        rows[np.arange(len(labels)), labels] += 5
        return FeatureSet(rows, labels, np.tile([True, False, False, False], count))

    words = drawings.Words("word", ())
    named = [drawings.Concept(str(n), words, words, n == 0, frozenset()) for n in range(drawn)]
    return TrainingData(named, {"noto": feature_set(drawn)}, feature_set(len(CLASSES)))


SMALL = Recipe(steps=120, drawings=16, clothes=16, pseudo=16)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Two threads of torch wait for each other on busy cores; other tests get their number back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def classifier():
    return Classifier(read_weights(), load_class_vectors())


@pytest.fixture(scope="module")
def trained(tmp_path_factory, classifier):
    data = made_data(np.random.default_rng(5))
    checkpoint = tmp_path_factory.mktemp("trained") / "checkpoint.pt"
    return data, fit(data, classifier, SMALL, checkpoint), checkpoint


def test_training_names_what_it_was_shown(trained, classifier):
    data, network, _ = trained
    x, known = classifier.inputs(data.clothes.rows)
    named = network(x, known).detach().numpy().argmax(axis=1)
    assert (named - 1000 - len(data.concepts) == data.clothes.labels).mean() > 0.9


def test_training_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(trained, classifier):
    data, network, checkpoint = trained
    again = fit(data, classifier, SMALL, checkpoint)
    for name, tensor in network.state_dict().items():
        assert np.allclose(tensor.numpy(), again.state_dict()[name].numpy(), atol=1e-5)


def test_a_checkpoint_of_another_recipe_is_not_gone_on_from(trained, classifier, tmp_path):
    data, network, checkpoint = trained
    (tmp_path / "checkpoint.pt").write_bytes(checkpoint.read_bytes())
    other = fit(data, classifier, Recipe(steps=4, drawings=4, clothes=4, pseudo=4), tmp_path / "checkpoint.pt")
    assert not np.allclose(other.state_dict()["output.weight"].numpy(), network.state_dict()["output.weight"].numpy())


def test_pseudo_features_have_no_target_and_come_last(classifier):
    rows, targets = Batches(made_data(np.random.default_rng(5)), classifier.matrix, SMALL)(np.random.default_rng(1))
    assert rows.shape == (48, 1280)
    assert (targets[32:] == -1).all()
    assert set(targets[:16]) <= {1000, 1001, 1002}
    assert (targets[16:32] >= 1003).all()
    assert (rows >= 0).all()


def test_the_packed_file_holds_the_network_and_the_same_bytes_each_time(trained, tmp_path):
    data, network, _ = trained
    many = made_data(np.random.default_rng(5), drawn=150).drawings["noto"]
    data = TrainingData(data.concepts, {"noto": many}, data.clothes)
    words = texts.TextVectors(normalise(np.ones((13, 512), np.float32)), np.eye(512, 384, dtype=np.float32))
    files = [tmp_path / "one.npz", tmp_path / "two.npz"]
    packed = [pack(network, data, words, file) for file in files]
    read = load_concepts(files[0])
    assert isinstance(read, Concepts)
    for name, array in read._asdict().items():
        assert np.array_equal(array, getattr(packed[0], name))
    assert read.output.shape == (1024, 13)
    assert read.vectors.shape == (13, 384)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_looks_are_learnt_from_clean_pictures_alone():
    data = made_data(np.random.default_rng(5), drawn=150)
    mean, axes = look_axes([data.drawings["noto"]])
    spoilt = FeatureSet(
        np.where(data.drawings["noto"].clean[:, None], data.drawings["noto"].rows, 99),
        data.drawings["noto"].labels,
        data.drawings["noto"].clean,
    )
    assert np.array_equal(look_axes([spoilt])[1], axes)
    assert mean.shape == (1280,)
    assert axes.T @ axes == pytest.approx(np.eye(128), abs=1e-4)


def test_clothes_are_moved_apart_until_each_phrasing_is_nearest_to_its_own_class():
    rows = normalise(np.array([[1, 0.3, 0], [0.3, 1, 0], [0.2, 0, 1], [0, 1, 0.2]], np.float32))
    phrasings = [[["a"], ["b"]], [["c"], ["d"]]]
    means = normalise(np.array([[1, 1, 0], [0, 1, 0.2]], np.float32))
    assert (rows @ means.T).argmax(axis=1).tolist() != [0, 0, 1, 1]
    moved = texts.separated(means, rows, phrasings)
    shares = rows @ moved.T - rows @ means.T
    assert (shares[[0, 1], 0] > shares[[0, 1], 1]).all()
    assert (moved * means).sum(axis=1).min() > 0.9
    assert np.linalg.norm(moved, axis=1) == pytest.approx(1)


def test_measures_say_how_good_a_ranking_is():
    scores = np.array([[4, 3, 2, 1], [1, 2, 3, 4]], np.float32)
    right = np.array([[True, False, True, False], [False, False, False, True]])
    assert measures.precision(scores, right, 2) == pytest.approx((0.5 + 0.5) / 2)
    assert measures.recall(scores, np.array([1, 3]), 1) == 0.5
    assert measures.recall(scores, np.array([1, 3]), 2) == 1
    assert measures.average_precision(scores, right) == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)


def test_no_query_of_the_evaluation_is_a_phrasing_of_training():
    trained = {text for kind in texts.clothing_phrasings().values() for each in kind.values() for text in each}
    words = evaluate.queries()
    parts = {
        part: [t for kind in words[part].values() for each in kind.values() for t in each]
        for part in words
        if part != "photos"
    }
    asked = [text for part in parts.values() for text in part]
    assert trained.isdisjoint(asked)
    assert len(asked) == len(set(asked))
    assert all(set(words[part]) == set(CLASSES) for part in parts)
