import pytest

from refconv.words import did_you_mean, nearest


@pytest.mark.parametrize(
    ("given", "known", "expected"),
    [
        ("chek", ["bench", "check"], "check"),
        ("Float-32", ["float32", "float64"], "float32"),
        ("max-pool", ["avg_pool", "max_pool"], "max_pool"),
        ("zzz", ["bench", "check"], None),
        (3, ["bench", "check"], None),
        ("check", [], None),
    ],
)
def test_the_nearest_word(given, known, expected):
    assert nearest(given, known) == expected


def test_a_question_ends_the_message_where_a_word_is_near():
    assert did_you_mean("grops", ["groups", "stride"]) == "; did you mean groups?"
    assert did_you_mean("zzz", ["groups", "stride"]) == ""
