import json
import os
import pickle

import pytest

import oracle
import refconv
from oracle.reporting.files import FileError, keep, keep_all, read_calls, write


def shifted(input, weight, bias=None, **attributes):
    return refconv.conv(input, weight, bias, **attributes) + 1


@pytest.fixture(scope="module")
def report():
    return oracle.check(oracle.subject(conv=shifted, name="mine"), ["conv"], examples=5)


@pytest.fixture
def kept(report, tmp_path):
    return keep(tmp_path, "mine", report.failures[0])


def test_a_kept_failure_comes_back(report, kept):
    (((case, direction),),) = read_calls(kept)
    assert kept.name == "mine-conv-forward.json"
    assert (repr(case), direction) == (repr(report.failures[0].case), "forward")


def test_several_failures_of_one_direction_are_kept_apart(report, tmp_path):
    kept = keep_all(tmp_path, "mine", report.failures * 3)
    assert [file.name for _, file in kept] == [f"mine-conv-forward{end}.json" for end in ("", "-2", "-3")]


def test_a_report_gives_the_calls_of_its_failures(report, tmp_path):
    report.to_json(tmp_path / "report.json")
    (((case, _),),) = read_calls(tmp_path / "report.json")
    assert repr(case) == repr(report.failures[0].case)


@pytest.mark.parametrize("subject", ["../../x", "/etc/passwd", "a/b:c", "..", "a\nb", "<script>"])
def test_whatever_the_subject_is_called_the_file_lies_in_the_folder(report, tmp_path, subject):
    path = keep(tmp_path / "cases", subject, report.failures[0])
    assert path.resolve().parent == (tmp_path / "cases").resolve()
    assert [file.name for file in tmp_path.iterdir()] == ["cases"]
    assert "\n" not in path.name


@pytest.mark.parametrize("tenth", range(10))
def test_a_truncated_file_is_refused_in_one_line(kept, tenth):
    whole = kept.read_text()
    kept.write_text(whole[: len(whole) * tenth // 10])
    with pytest.raises(FileError, match=r"json: not JSON, or cut off: ") as refusal:
        read_calls(kept)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": "refconv case", "format_version": 2, "calls": []}', r": of version 2; this refconv reads version 1$"),
        ('{"format": "refconv case", "format_version": "%s", "calls": []}' % ("9" * 999), r": of version 9{20}; "),
        ('{"format": "refconv case", "format_version": {}, "calls": []}', r": of version another; "),
        ('{"format": "refconv case", "format_version": 1, "calls": []}', r": calls must be a list of at least one call$"),
        ('{"format": "refconv case", "format_version": 1, "calls": [1]}', r": neither a case nor a report of refconv$"),
        ('{"format": "refconv case", "format_version": 1, "calls": [{"direction": "up"}]}', r": direction must be one of "),
        ('{"format": "refconv case", "format_version": 1, "calls": [{"direction": []}]}', r": direction must be one of "),
        ('{"format": "refconv case", "format_version": 1, "calls": [{"direction": "forward"}]}', r": case must have the fields "),
        ('{"format": "refconv report", "format_version": 1, "failures": {"a": 1}}', r": neither a case nor a report of refconv$"),
        ('{"format": ["refconv case"]}', r": neither a case nor a report of refconv$"),
        ("{}", r": neither a case nor a report of refconv$"),
        ("[]", r": neither a case nor a report of refconv$"),
        ("null", r": neither a case nor a report of refconv$"),
        ("[" * 100_000, r": not JSON, or cut off: "),
        ('{"format": NaN}', r": not JSON, or cut off: NaN is not JSON$"),
        ("1" * 10_000, r": not JSON, or cut off: "),
        ("\ud800", r": not JSON, or cut off: "),
    ],
)  # fmt: skip
def test_what_is_no_case_file_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "case.json").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(FileError, match=message) as refusal:
        read_calls(tmp_path / "case.json")
    assert "\n" not in str(refusal.value)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "case.json").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(FileError, match=r": not JSON, or cut off: "):
        read_calls("case.json")
    assert not (tmp_path / "sprung").exists()


def test_what_is_no_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing", "/dev/zero"):
        with pytest.raises(FileError, match=r": no such file$"):
            read_calls(path)


def test_a_file_is_replaced_as_a_whole(tmp_path, monkeypatch):
    path = tmp_path / "report"
    write(path, "before")
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write(path, "after")
    assert path.read_text() == "before"


def test_links_stay_and_devices_are_written_to(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "text"
    write("/dev/null", "text")
    assert not os.path.isfile("/dev/null")


@pytest.mark.parametrize("version", [1, 2])
def test_older_reports_are_read_and_newer_ones_are_not(report, tmp_path, version):
    written = json.loads(report.to_json())
    assert (written["format_version"], written["complete"]) == (2, True)
    (tmp_path / "report.json").write_text(json.dumps({**written, "format_version": version}))
    assert len(read_calls(tmp_path / "report.json")) == len(report.failures)
    (tmp_path / "report.json").write_text(json.dumps({**written, "format_version": 3}))
    with pytest.raises(FileError, match="of version 3; this refconv reads version 2"):
        read_calls(tmp_path / "report.json")
