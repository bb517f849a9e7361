"""The images that went wrong: which they are, and that their pictures are what the network was shown."""

import base64

import numpy as np

from bridgebnn.model.flows.wrong_images import MOST, wrong_images
from bridgebnn.model.networks.encoding import Encoding


def test_which_and_what_they_show():
    encoding = Encoding(shape=(2, 2), thresholds=(64, 128, 192))
    bits = encoding(np.array([[[0, 70], [130, 255]]] * 4))
    found = wrong_images(
        encoding,
        bits,
        labels=[0, 1, 1, 1],
        classes=[0, 1, 0, 1],
        golden=[0, 1, 1, 0],
        scores=np.arange(8).reshape(4, 2),
    )
    assert [(w.image, w.label, w.answer, w.golden, w.scores) for w in found] == [
        (2, 1, 0, 1, [4, 5]),
        (3, 1, 1, 0, [6, 7]),
    ]
    assert list(base64.b64decode(found[0].pixels)) == [0, 85, 170, 255]
    assert found[0].shape == [2, 2]


def test_without_labels_and_scores_and_no_more_than_are_kept():
    encoding = Encoding(shape=(3,), thresholds=())
    many = np.ones((3 * MOST, 3), np.uint8)
    one, two = np.zeros(len(many), int), np.ones(len(many), int)
    found = wrong_images(encoding, many, labels=None, classes=one, golden=two, scores=None)
    assert [w.image for w in found] == list(range(MOST))
    assert (found[0].label, found[0].scores) == (None, [])
    assert base64.b64decode(found[0].pixels) == b"\xff" * 3
    assert wrong_images(encoding, many, labels=None, classes=one, golden=one, scores=None) == []
