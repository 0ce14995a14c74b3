"""The best of several bag-of-words models on the demo corpus: `python -m benchmarks.demo_baseline`."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, hstack
from scipy.stats import pearsonr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

import manyheads.demo

CORPUS = Path(manyheads.demo.__file__).parent / "corpus"
STRENGTHS = (0.1, 1.0, 10.0)
GRAMS = ((1, 1), (1, 2), (1, 3))


def read(task: str, split: str) -> tuple[list[list[str]], np.ndarray]:
    """Read the columns of texts and the targets."""
    with (CORPUS / f"{task}-{split}.tsv").open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file, delimiter="\t")
    return [[row[column] for row in rows] for column in range(1, len(rows[0]) - 1)], np.array(
        [float(row[-1]) for row in rows]
    )


def features(vectorizer: TfidfVectorizer, columns: list[list[str]]) -> csr_matrix:
    """Return a bag of words for one text. For two: both bags, their difference and product, and the cosine."""
    first = vectorizer.transform(columns[0])
    if len(columns) == 1:
        return first
    second = vectorizer.transform(columns[1])
    product = first.multiply(second)
    return hstack([first, second, abs(first - second), product, csr_matrix(product.sum(axis=1))]).tocsr()


def best(task: str) -> float:
    """Return the best dev metric over n-gram lengths and strengths of regularisation."""
    (train, targets), (dev, wanted) = read(task, "train"), read(task, "dev")
    scores = []
    for grams in GRAMS:
        vectorizer = TfidfVectorizer(ngram_range=grams, sublinear_tf=True)
        vectorizer.fit([text for column in train for text in column])
        for strength in STRENGTHS:
            if task == "similarity":
                model = Ridge(alpha=1 / strength).fit(features(vectorizer, train), targets)
                scores.append(float(pearsonr(model.predict(features(vectorizer, dev)), wanted).statistic))
            else:
                classifier = LogisticRegression(C=strength, max_iter=2000).fit(features(vectorizer, train), targets)
                scores.append(float((classifier.predict(features(vectorizer, dev)) == wanted).mean()))
    return max(scores)


if __name__ == "__main__":
    for task, metric in (("sentiment", "accuracy"), ("paraphrase", "accuracy"), ("similarity", "Pearson r")):
        print(f"{task:12} {metric:10} {best(task):.3f}")
