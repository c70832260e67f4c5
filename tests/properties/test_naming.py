"""Operators by the names that others have for them."""

import pytest

from properties import cases
from properties.naming import by_arguments, by_domain, by_option, meant, operator_meant
from refconv import operators


@pytest.mark.parametrize(
    ("name", "operator", "attributes"),
    [
        ("conv2d", "conv", {"rank": 2}),
        ("torch.nn.functional.conv3d", "conv", {"rank": 3}),
        ("aten::max_pool2d", "max_pool", {"rank": 2}),
        ("Conv2DTranspose", "conv_transpose", {"rank": 2}),
        ("BatchNorm2d", "batch_norm", {"rank": 2}),
        ("BatchNormalization", "batch_norm", {}),
        ("batchnorm", "batch_norm", {}),
        ("AveragePool", "avg_pool", {}),
        ("AveragePooling1D", "avg_pool", {"rank": 1}),
        ("GlobalMaxPool", "adaptive_max_pool", {"output_size": 1}),
        ("Gemm", "linear", {}),
        ("Dense", "linear", {}),
        ("LRN", "local_response_norm", {}),
        ("ReflectionPad2d", "pad", {"rank": 2}),
        ("CrossEntropyLoss", "cross_entropy", {}),
        ("Dropout2d", "dropout", {}),
        ("conv_backward", "conv", {}),
        ("cnov", "conv", {}),
        ("rnn", None, {}),
        ("", None, {}),
    ],
)
def test_a_name_means_an_operator_and_attributes(name, operator, attributes):
    assert operator_meant(name) == (operator, attributes)


@pytest.mark.parametrize("name", operators)
def test_an_operator_means_itself(name):
    assert operator_meant(name) == (name, {})


def test_each_place_says_the_rank_in_its_own_words():
    assert meant(["conv2d"], by_option) == "; did you mean conv (with --only rank=2)?"
    assert meant(["conv2d"], by_domain) == "; did you mean conv (with only={'rank': 2})?"
    assert meant(["conv2d"], by_arguments) == "; did you mean conv (with rank=2)?"
    assert meant(["conv2d"]) == "; did you mean conv (one for all ranks)?"
    assert meant(["GlobalAveragePool"]) == "; did you mean adaptive_avg_pool (with output_size=1)?"
    assert meant(["Relu", "cnov", "conv", "zzz"]) == "; did you mean relu and conv?"
    assert meant(["zzz"]) == ""


@pytest.mark.parametrize(
    ("arguments", "attributes", "end"),
    [
        (["conv2d"], {}, r", got 'conv2d'; did you mean conv \(with rank=2\)\?$"),
        (["conv"], {"dtype": "float23"}, r", got 'float23'; did you mean float32\?$"),
        (["conv"], {"strides": 2}, r", got 'strides'; did you mean stride\?$"),
        (["relu"], {"strides": 2}, r"must be of none, got 'strides'$"),
    ],
)
def test_cases_of_what_is_not_known(arguments, attributes, end):
    with pytest.raises(ValueError, match=end):
        cases(*arguments, **attributes)
