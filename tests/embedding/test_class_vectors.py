import numpy as np
import pytest

from embedding.builtin import class_vectors
from embedding.builtin.build_class_vectors import class_vectors as build
from embedding.builtin.texts import normalise
from embedding.builtin.wordnet import ClassText, Nouns, telling_hypernyms

NOUNS = """\
  1 This line is part of the licence.
00000001 03 n 01 entity 0 000 | that which exists
00000002 05 n 02 animal 0 beast 0 001 @ 00000001 n 0000 | a living organism; "the animals of the wood"
00000003 05 n 01 bird 0 001 @ 00000002 n 0000 | a warm-blooded egg-laying vertebrate with feathers
00000004 05 n 02 crane 0 heavy_bird 0 002 @ 00000003 n 0000 ~ 00000009 n 0000 | large long-necked wading bird
00000005 06 n 01 crane 0 001 @ 00000006 n 0000 | lifts and moves heavy objects
00000006 06 n 01 machine 0 001 @ 00000001 n 0000 | a device that does work
00000007 05 n 01 robin 0 001 @i 00000003 n 0000 | small songbird
"""
CRANE = ClassText("crane bird", ("crane",), "large long-necked wading bird of marshes")
HOIST = ClassText("crane", ("crane",), "lifts and moves heavy objects; lifting tackle")
ROBIN = ClassText("robin", ("robin",), "small songbird")


def test_the_file_holds_a_vector_per_class_and_the_mean_text():
    vectors, mean = class_vectors.load_class_vectors()
    assert vectors.shape == (1000, 512)
    assert mean.shape == (512,)
    assert vectors.dtype == mean.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)
    assert len(np.unique(vectors, axis=0)) > 990


def test_the_file_is_the_one_that_the_docs_speak_of():
    assert class_vectors.content_hash() == "dcee5337c882"


def test_the_synset_is_found_by_words_and_definition():
    nouns = Nouns(NOUNS)
    assert nouns.find(CRANE).words == ("crane", "heavy bird")
    assert nouns.find(HOIST).offset == "00000005"


def test_hypernyms_are_the_first_parents_nearest_first_and_glosses_lose_their_examples():
    nouns = Nouns(NOUNS)
    chain = list(nouns.hypernyms(nouns.find(ROBIN)))
    assert [synset.words[0] for synset in chain] == ["bird", "animal", "entity"]
    assert chain[1].gloss == "a living organism"


def test_hypernyms_above_too_many_classes_say_nothing():
    chains = telling_hypernyms(Nouns(NOUNS), [CRANE, HOIST, ROBIN], coverage=2)
    assert [[synset.words[0] for synset in chain] for chain in chains] == [
        ["bird", "animal"],
        ["machine"],
        ["bird", "animal"],
    ]


def test_a_class_lies_between_its_words_and_ever_less_of_its_hypernyms():
    axes = {"robin": 0, "bird": 1, "animal": 2, "beast": 2}

    def embed(texts):
        return np.eye(3, dtype=np.float32)[[axes[text] for text in texts]]

    (chain,) = telling_hypernyms(Nouns(NOUNS), [ROBIN], coverage=1)
    (vector,) = build(embed, [ROBIN], [chain[:2]])
    assert vector == pytest.approx(normalise(np.array([1, 0.5, 0.4], np.float32)), abs=1e-6)
