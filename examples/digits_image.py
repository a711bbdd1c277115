"""Images: which of the digits 0 to 9 are in a picture, by ChainClassifier on DigitScenes.

The pictures are made of scikit-learn's scans of handwritten digits, up to four in one, each blurred (faint,
under noise) with probability 1/2. The chain tends to name the digits first that it is sure of.
"""

import argparse

import numpy as np
import torch

from labelchain.baselines import ChainClassifier
from labelchain.envs import load_dataset

parser = argparse.ArgumentParser(description="Name the digits in pictures.")
parser.add_argument("--epochs", type=int, default=20, help="passes over the training rows")
parser.add_argument("--rows", type=int, default=4000, help="pictures to train on")
args = parser.parse_args()
torch.set_num_threads(1)  # networks this small are fastest with one

# Any arrays will do: X (n, 256) grey levels of 16 x 16 pixels, Y (n, 10) of 0 and 1.
scenes = load_dataset("digit-scenes")
train = np.concatenate([scenes.rows("train"), scenes.rows("validation")])[: args.rows]
test = scenes.rows("test")
X, Y = scenes.dense_features(train), scenes.dense_labels(train).astype(int)

classifier = ChainClassifier(
    "always-random", settings={"epochs": args.epochs}, random_state=0, image_shape=(16, 16)
).fit(X, Y)

X_test, Y_test = scenes.dense_features(test), scenes.dense_labels(test)
first = classifier.rank(X_test, k=1)[:, 0]
right = Y_test[np.arange(len(first)), first].mean()
whole = classifier.score(X_test, Y_test)
print(f"{len(X)} pictures: best digit right {right:.3f}, all digits right {whole:.3f}")

shades = np.array(list(" .:-=+*#%@"))
for picture, chain, truth in zip(X_test[:2], classifier.predict_chain(X_test[:2]), Y_test, strict=False):
    levels = (picture / picture.max() * 9).astype(int).reshape(16, 16).repeat(2, axis=1)
    print("\n".join(map("".join, shades[levels])))
    print("decided:", ", ".join(f"{digit} ({share:.2f})" for digit, share in chain))
    print("there:  ", ", ".join(map(str, np.flatnonzero(truth))))
