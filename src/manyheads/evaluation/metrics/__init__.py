"""The menu of metrics. A metric that cannot be computed is None, because a default would distort an average."""

from __future__ import annotations

from manyheads.evaluation.metrics.accuracy import ACCURACY
from manyheads.evaluation.metrics.auc import AUC
from manyheads.evaluation.metrics.average_precision import AVERAGE_PRECISION
from manyheads.evaluation.metrics.balanced_accuracy import BALANCED_ACCURACY
from manyheads.evaluation.metrics.errors import MAE, RMSE
from manyheads.evaluation.metrics.f1 import F1
from manyheads.evaluation.metrics.labels import MICRO_F1, SUBSET_ACCURACY
from manyheads.evaluation.metrics.macro_f1 import MACRO_F1
from manyheads.evaluation.metrics.mcc import MCC
from manyheads.evaluation.metrics.metric import Metric, MetricOptions
from manyheads.evaluation.metrics.pearson import PEARSON
from manyheads.evaluation.metrics.quadratic_kappa import QUADRATIC_KAPPA
from manyheads.evaluation.metrics.ranks import MRR, NDCG, RECALL_AT, RECALL_AT_1, RECALL_AT_5, RECALL_AT_10
from manyheads.evaluation.metrics.scores import BRIER, LOG_LOSS
from manyheads.evaluation.metrics.spearman import SPEARMAN
from manyheads.evaluation.metrics.tags import SENTENCE_ACCURACY, SPAN_F1, WORD_ACCURACY, WORD_MACRO_F1
from manyheads.menu import Menu, require


def _check(metric: Metric) -> None:
    require(issubclass(metric.options, MetricOptions), "options is not a subclass of MetricOptions")
    require(callable(metric.function) and callable(metric.influence), "function and influence must be functions")
    require(bool(metric.targets), "targets is empty, so it fits no kind of task")
    require(metric.range[0] < metric.range[1], f"range is {metric.range}, and the lowest value comes first")
    require(metric.needs in ("values", "probabilities"), f"needs is {metric.needs!r}")


METRICS = Menu(
    "metric",
    (
        *(ACCURACY, MACRO_F1, MCC, F1, BALANCED_ACCURACY, QUADRATIC_KAPPA),
        *(AUC, AVERAGE_PRECISION, LOG_LOSS, BRIER),
        *(MICRO_F1, SUBSET_ACCURACY),
        *(SPAN_F1, WORD_ACCURACY, WORD_MACRO_F1, SENTENCE_ACCURACY),
        *(PEARSON, SPEARMAN, RMSE, MAE),
        *(MRR, RECALL_AT_1, RECALL_AT_5, RECALL_AT_10, RECALL_AT, NDCG),
    ),
    _check,
)
