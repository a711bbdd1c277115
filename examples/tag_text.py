"""Tag texts: docstrings in, tags out, through TfidfVectorizer and a chain of labels.

The texts are the docstrings of NumPy, SciPy and scikit-learn that are installed here, without their examples.
The tags of each are where it is from (package and parts of the module's name), its kind (class or function)
and, of an estimator, what it does. They depend on each other: what is in ``signal`` is in ``scipy``. It is a
small, clean corpus in one style, so the scores say little about other texts.
"""

import argparse
import importlib
import inspect
import re

import numpy as np
import torch
from sklearn.base import ClassifierMixin, ClusterMixin, RegressorMixin, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer

from labelchain.baselines import ChainClassifier

MODULES = """
numpy numpy.fft numpy.linalg numpy.ma numpy.polynomial numpy.random
scipy.cluster.hierarchy scipy.fft scipy.integrate scipy.interpolate scipy.linalg scipy.ndimage scipy.optimize
scipy.signal scipy.sparse scipy.sparse.linalg scipy.spatial scipy.spatial.distance scipy.special scipy.stats
sklearn.cluster sklearn.covariance sklearn.datasets sklearn.decomposition sklearn.ensemble
sklearn.feature_selection sklearn.linear_model sklearn.metrics sklearn.model_selection sklearn.neighbors
sklearn.preprocessing sklearn.svm sklearn.tree
"""
ROLES = {
    ClassifierMixin: "classifier",
    ClusterMixin: "clusterer",
    RegressorMixin: "regressor",
    TransformerMixin: "transformer",
}


def corpus() -> tuple[list[str], list[list[str]]]:
    """The texts, and a list of tags for each."""
    found: dict[str, set[str]] = {}
    for name in MODULES.split():
        module = importlib.import_module(name)
        for member in (vars(module).get(public) for public in module.__all__):
            if not callable(member) or not member.__doc__:
                continue
            text = re.split(r"\n(?:Examples?|References|See Also)\n-", inspect.getdoc(member) or "")[0]
            text = re.sub(r"^\w+\(.*\)\n", "", text).strip()  # signatures of compiled functions
            if len(text) < 100:
                continue
            tags = {*name.split("."), "class" if inspect.isclass(member) else "function"}
            if inspect.isclass(member):
                tags |= {role for kind, role in ROLES.items() if issubclass(member, kind)}
            found.setdefault(text, set()).update(tags)
    return list(found), [sorted(tags) for tags in found.values()]


parser = argparse.ArgumentParser(description="Tag docstrings.")
parser.add_argument("--learner", default="composite", help="any learner but those of Stable-Baselines3")
parser.add_argument("--epochs", type=int, default=20, help="passes over the training rows")
args = parser.parse_args()
torch.set_num_threads(1)  # networks this small are fastest with one

texts, tags = corpus()
train_texts, test_texts, train_tags, test_tags = train_test_split(texts, tags, test_size=300, random_state=0)
print(f"{len(texts)} docstrings, {len({tag for row in tags for tag in row})} tags")

words = TfidfVectorizer(max_features=5000, stop_words="english", sublinear_tf=True)
classifier = ChainClassifier(args.learner, settings={"epochs": args.epochs}, random_state=0)
tagger = make_pipeline(words, classifier).fit(train_texts, train_tags)

truth = MultiLabelBinarizer(classes=classifier.classes_).fit_transform(test_tags)
predicted = tagger.predict(test_texts)
print(f"{args.learner}: F1 {f1_score(truth, predicted, average='samples', zero_division=1):.3f}", end=", ")
print(f"whole set right {np.mean((truth == predicted).all(axis=1)):.3f} of {len(truth)} test docstrings")

NEW = ["Solve a sparse system of linear equations.", "Compute the power spectrum of a time series by FFT."]
for text, tags_of_text in [*zip(test_texts[:6], test_tags, strict=False), *((text, None) for text in NEW)]:
    (chain,) = classifier.predict_chain(words.transform([text]))
    print(f"\n{text.splitlines()[0][:90]}")
    print("  decided:", ", ".join(f"{tag} {share:.2f}" for tag, share in chain) or "nothing")
    print("  tags:   ", ", ".join(tags_of_text) if tags_of_text else "(a sentence of our own)")
