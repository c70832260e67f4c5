"""What the calls of each operator are like, as data: features, their classes, and how a call is made of them."""

from collections.abc import Mapping

from properties.models.adaptive import ADAPTIVE_AVG_POOL, ADAPTIVE_MAX_POOL
from properties.models.convolutions import CONV, CONV_TRANSPOSE, LOCALLY_CONNECTED
from properties.models.feature import Choices, Class, Feature, Model, Row
from properties.models.normalization import BATCH_NORM, GROUP_NORM, INSTANCE_NORM, LAYER_NORM, LOCAL_RESPONSE_NORM
from properties.models.padding import PAD
from properties.models.pointwise import (
    ADD,
    CHANNEL_SHUFFLE,
    CONCAT,
    DROPOUT,
    FLATTEN,
    HIGHWAY,
    LEAKY_RELU,
    MSE_LOSS,
    RELU,
    SIGMOID,
    TANH,
)
from properties.models.pooling import AVG_POOL, LP_POOL, MAX_POOL
from properties.models.products import CAPSULE_ROUTING, GRAPH_CONV, LINEAR, NON_LOCAL
from properties.models.recipe import Recipe, drawn
from properties.models.resampling import BLUR_POOL, UPSAMPLE
from properties.models.rows import CROSS_ENTROPY, LOG_SOFTMAX, SOFTMAX, SQUASH
from properties.models.unpooling import MAX_UNPOOL

MODELS: Mapping[str, Model] = {
    model.operator: model
    for model in (
        CONV,
        CONV_TRANSPOSE,
        LOCALLY_CONNECTED,
        MAX_POOL,
        AVG_POOL,
        LP_POOL,
        ADAPTIVE_AVG_POOL,
        ADAPTIVE_MAX_POOL,
        MAX_UNPOOL,
        UPSAMPLE,
        BLUR_POOL,
        PAD,
        BATCH_NORM,
        LAYER_NORM,
        INSTANCE_NORM,
        GROUP_NORM,
        LOCAL_RESPONSE_NORM,
        RELU,
        LEAKY_RELU,
        SIGMOID,
        TANH,
        DROPOUT,
        FLATTEN,
        ADD,
        CONCAT,
        CHANNEL_SHUFFLE,
        MSE_LOSS,
        HIGHWAY,
        SOFTMAX,
        LOG_SOFTMAX,
        SQUASH,
        CROSS_ENTROPY,
        LINEAR,
        GRAPH_CONV,
        NON_LOCAL,
        CAPSULE_ROUTING,
    )
}
"""The model of each operator."""

__all__ = ["MODELS", "Choices", "Class", "Feature", "Model", "Recipe", "Row", "drawn"]
