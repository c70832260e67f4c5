"""The command ``refconv operators``."""

import pytest
from click.testing import CliRunner

from properties.cli import operators_command
from properties.models import MODELS
from refconv import operators


def printed(monkeypatch, *names, columns="200"):
    monkeypatch.setenv("COLUMNS", columns)
    ran = CliRunner().invoke(operators_command, names)
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_the_operators_are_listed_with_signature_summary_and_gradients(monkeypatch):
    listed = printed(monkeypatch)
    assert listed.split("\n\n")[0].splitlines() == [
        "conv(input, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1, padding_mode='zeros')",
        "    Correlate `input` with `weight` over 1, 2 or 3 spatial axes.",
        "    gradients: input, weight, bias",
    ]
    assert [block.partition("(")[0] for block in listed.strip().split("\n\n")] == list(operators)


def test_of_one_that_is_named_all_is_said(monkeypatch):
    said = printed(monkeypatch, "conv", columns="60")
    assert "conv(input, weight, bias=None, *, stride=1," in said
    assert "output[n, co, o] = bias[co] + sum of" in said
    assert "\n        stride: int | tuple[int, ...]; by default 1\n" in said
    assert "\n        padding_mode: str; by default 'zeros'\n" in said
    assert "conv_backward(grad_output, input, weight, bias=None, *, " in said
    assert "with the kernel rotated by 180°" in said
    assert "    gradients: input, weight, bias\n" in said
    assert "\n        channels in: 1, 2-8, 9-33, 34-128, 129-600\n" in said
    assert "max_pool(" not in said


def test_required_attributes_are_said_to_be(monkeypatch):
    assert "kernel_size: int | tuple[int, ...]; required\n" in printed(monkeypatch, "max_pool")


@pytest.mark.parametrize("name", operators)
def test_each_feature_of_each_operator_is_named(monkeypatch, name):
    said = printed(monkeypatch, name)
    assert all(f"\n        {feature.name}: {feature.classes[0].name}" in said for feature in MODELS[name].counted)


def test_the_rank_is_explained_where_none_can_be_asked_for():
    ran = CliRunner().invoke(operators_command, ["conv2d"])
    assert ran.exit_code == 2
    assert "did you mean conv (one for all ranks)?" in " ".join(ran.output.split())
