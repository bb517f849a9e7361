"""A folder of images to begin with: MNIST's test digits as grey PNGs of 14 x 14 pixels, a folder for each class.

    python -m examples.digit_folder FOLDER

Writes FOLDER/train (8,000 images) and FOLDER/test (2,000). Your own images take their place, as
FOLDER/train/CLASS/*.png.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from bridgebnn.model.networks.dataset import load_mnist_test

TRAIN = 8000

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    bits, labels = load_mnist_test()
    pixels = 255.0 * bits.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))  # four bits make a grey value
    for number, (image, label) in enumerate(zip(np.rint(pixels).astype(np.uint8), labels, strict=True)):
        place = folder / ("train" if number < TRAIN else "test") / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")
    print(f"{folder}/train: {TRAIN} images, {folder}/test: {len(bits) - TRAIN}")
