import click
import pytest

from refconv.choices import Known


def test_a_word_that_is_none_of_them_is_refused_with_the_one_that_may_be_meant():
    known = Known(["conv", "linear"])
    assert known.convert("conv", None, None) == "conv"
    with pytest.raises(click.BadParameter, match=r"^'cnov' is not one of 'conv', 'linear'; did you mean conv\?$"):
        known.convert("cnov", None, None)
    with pytest.raises(click.BadParameter, match=r"^'relu' is not one of 'conv', 'linear', which is a pity$"):
        Known(["conv", "linear"], lambda given, words: ", which is a pity").convert("relu", None, None)
