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
from manyheads.evaluation.metrics.metric import Metric
from manyheads.evaluation.metrics.pearson import PEARSON
from manyheads.evaluation.metrics.quadratic_kappa import QUADRATIC_KAPPA
from manyheads.evaluation.metrics.scores import BRIER, LOG_LOSS
from manyheads.evaluation.metrics.spearman import SPEARMAN

METRICS: dict[str, Metric] = {
    each.name: each
    for each in (
        *(ACCURACY, MACRO_F1, MCC, F1, BALANCED_ACCURACY, QUADRATIC_KAPPA),
        *(AUC, AVERAGE_PRECISION, LOG_LOSS, BRIER),
        *(MICRO_F1, SUBSET_ACCURACY),
        *(PEARSON, SPEARMAN, RMSE, MAE),
    )
}
