"""Fits one scikit-learn model on the matrix that the bench exported; prints times and predictions' weighted F1 as JSON.

Usage: fit_sklearn.py FOLDER MODEL [--blas-threads N]

FOLDER holds {train,test}_{indptr,indices,values,labels}.npy. Models are as in the crate's defaults, all cores allowed; the
matrix is in double precision, as TfidfVectorizer makes it.
"""

import argparse
import contextlib
import json
import pathlib
import time

import numpy as np
import scipy.sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

MODELS = {
    "logistic regression": lambda: LogisticRegression(max_iter=1000),
    "linear SVM": lambda: LinearSVC(),
    "linear SVM, calibrated": lambda: CalibratedClassifierCV(LinearSVC(), cv=3, ensemble=False),
    "decision tree": lambda: DecisionTreeClassifier(random_state=123),
    "random forest": lambda: RandomForestClassifier(random_state=123, n_jobs=-1),
    "nearest neighbours": lambda: KNeighborsClassifier(n_jobs=-1),
}


def load(folder, fold, columns):
    part = lambda name: np.load(folder / f"{fold}_{name}.npy")
    indptr = part("indptr")
    values = part("values").astype(np.float64)
    return scipy.sparse.csr_matrix((values, part("indices"), indptr), shape=(len(indptr) - 1, columns)), part("labels")


def timed(action):
    start = time.perf_counter()
    return action(), time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--blas-threads", type=int)
    options = parser.parse_args()
    columns = int(np.load(options.folder / "columns.npy")[0])
    train, labels = load(options.folder, "train", columns)
    test, truth = load(options.folder, "test", columns)
    limit = threadpool_limits(options.blas_threads, user_api="blas") if options.blas_threads else contextlib.nullcontext()
    with limit:
        cpu_s = time.process_time()
        model, fit_s = timed(lambda: MODELS[options.model]().fit(train, labels))
        fit_cpu_s = time.process_time() - cpu_s
        predicted, predict_s = timed(lambda: model.predict(test))
    weighted_f1 = f1_score(truth, predicted, average="weighted")
    print(json.dumps({"fit_s": fit_s, "fit_cpu_s": fit_cpu_s, "predict_s": predict_s, "weighted_f1": weighted_f1}))


if __name__ == "__main__":
    main()
