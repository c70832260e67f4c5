"""What is said of mistakes of another hand: the strangers are honest but for their mistakes, and scored by their words."""

import json
import re
from operator import attrgetter

import pytest
from click.testing import CliRunner

import oracle
from bench import names, strangers
from bench.names import Told, main, shares, told
from bench.scoring import nothing_remembered
from bench.strangers import STRANGERS, says

HONEST = list({(stranger.make, repr(stranger.domain)): stranger for stranger in STRANGERS}.values())
NUMBERS = {stranger.key: number for number, stranger in enumerate(STRANGERS)}


@pytest.mark.parametrize("stranger", HONEST, ids=lambda stranger: f"{stranger.operator}-{stranger.make.__name__}")
def test_without_its_mistake_a_stranger_is_right(stranger):
    with nothing_remembered():
        report = oracle.check(stranger.subject(honest=True), [stranger.operator], examples=6, shrink=False)
    assert report.passed, report


def test_there_are_many_of_many_operators_with_names_of_their_own():
    assert len(STRANGERS) >= 120
    assert len({stranger.operator for stranger in STRANGERS}) >= 30
    assert len({stranger.identifier for stranger in STRANGERS}) == len(STRANGERS)
    assert all(stranger.names and stranger.conditions for stranger in STRANGERS)


def test_words_are_found_together_and_whatever_the_case():
    assert says("The bias isn't added", ("bias & not|n't", "weight"))
    assert not says("The bias is added", ("bias & not|n't", "weight"))
    assert not says(None, ("",))


def test_a_stranger_is_an_implementation_with_a_name():
    found = strangers.relu_backward_passes_where_the_input_is_0
    assert found.name == "relu backward: passes where the input is 0"
    with pytest.raises(AttributeError, match="no stranger is called relu_flipped"):
        attrgetter("relu_flipped")(strangers)


def test_what_a_report_says_is_scored(monkeypatch):
    key = "leaky_relu forward: the larger of both branches"
    said = told(NUMBERS[key], None, seed=0, examples=20)
    assert (said.verdict, said.name) == ("right name", "maximum of both branches")
    other = STRANGERS[NUMBERS[key]]._replace(names=("flipped",))
    monkeypatch.setattr(names, "STRANGERS", (other,))
    assert told(0, None, seed=0, examples=20).verdict == "wrong name"
    monkeypatch.setattr(names, "STRANGERS", (other._replace(mistake="none"),))
    assert told(0, None, seed=0, examples=20).verdict == "not found"


def test_shares_are_of_what_is_scored():
    verdicts = ("right name", "right condition", "symptom only", "wrong name", "to be read")
    said = [Told(verdict, verdict, None, None, None, False, 1.0) for verdict in verdicts]
    assert shares(said) == (0.5, 0.25)


CODE = "import numpy as np\ndef relu(input):\n    return np.where(np.isnan(input), input, np.clip(input, 0, 6))\n"


@pytest.mark.parametrize(("words", "verdict"), [({"names": ["6"]}, "right name"), ({}, "to be read")])
def test_faults_of_a_file_are_run(tmp_path, words, verdict):
    fault = {"operators": ["relu"], "what": "six at most", "code": CODE, **words}
    (tmp_path / "faults.json").write_text(json.dumps({"clipped": fault, "other": fault}))
    arguments = ["--faults", str(tmp_path), "--examples", "20", "-k", "clipped"]
    run = CliRunner().invoke(main, arguments)
    assert re.search(rf"^{verdict} +clipped: six at most  \(\d+\.\d s\)$", run.stdout, re.MULTILINE), run.output
    assert "name: values above 6 cut off" in run.stdout
    assert run.exit_code == 0
