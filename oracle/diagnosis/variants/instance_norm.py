"""Wrong instance norms."""

from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.norm_gradients import collect_gradients
from oracle.diagnosis.variants.norms import collect, regrouped

wrong = Catalogue()

collect(wrong, "instance_norm", {})
regrouped(
    wrong,
    "instance_norm",
    "statistics of the whole batch",
    "The sums run over the batch, too, as in batch norm.",
    lambda axes, _: (0, *axes),
)
regrouped(
    wrong,
    "instance_norm",
    "statistics shared by the channels",
    "The sums run over the channels, too.",
    lambda axes, _: (1, *axes),
)
regrouped(
    wrong,
    "instance_norm",
    "last axis normalised alone",
    "Of several axes that share a mean, only the last takes part in the sums.",
    lambda axes, _: axes[-1:],
)
collect_gradients(wrong, "instance_norm")
