"""Options: what means the same bears the same name, old spellings work, bad values are refused."""

from __future__ import annotations

import json
from fractions import Fraction

import click
import pytest

from harness.analysis import BDOptions
from harness.cli import COMMANDS, group, main
from harness.conformance.check import Conditions
from harness.plan.request import Request

SHARED = (
    "--anchor", "--dataset", "--device", "--device-memory", "--environment", "--exclude",
    "--json", "--limits", "--memory-limit", "--metric", "--min-overlap", "--no-download", "--out",
    "--pareto", "--results", "--threads", "--timeout", "--weights",
)  # fmt: skip


def every_command(of=group, path=()):
    for name in of.list_commands(click.Context(of)):
        command = of.get_command(click.Context(of), name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def every_option():
    for path, command in every_command():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                yield path, parameter


def harness(capsys, *arguments):
    """Exit code, standard output and standard error of a command line."""
    code = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as ended:
        code = ended.code or 0
    return code, *capsys.readouterr()


@pytest.fixture
def results(tmp_path, photographs, capsys):
    done = harness(
        capsys, "run", "--codec", "well-behaved", "--dataset", photographs, "--metric", "psnr",
        "--limit", 1, "--threads", 1, "--results", tmp_path / "results", "--no-report",
    )  # fmt: skip
    assert done[0] == 0
    return tmp_path / "results"


@pytest.mark.parametrize("name", SHARED)
def test_an_option_reads_and_completes_alike_in_every_command(name):
    options = [
        option
        for path, option in every_option()
        if name in option.opts and (path, name) != ("bundle", "--out")
    ]  # one file, where all others write folders
    assert len(options) > 1
    assert len({type(option.type) for option in options}) == 1
    assert len({option.metavar for option in options}) == 1
    assert len({option.multiple for option in options}) == 1
    assert len({option._custom_shell_complete for option in options}) == 1


def test_every_option_is_explained():
    assert [(path, option.opts) for path, option in every_option() if not option.help] == []


def test_defaults_are_those_of_the_request():
    command = dict(every_command())["run"]
    defaults = {parameter.name: parameter.default for parameter in command.params}
    for name in ("codec", "dataset", "device", "repeats", "timeout", "keep", "results", "name"):
        assert defaults[name] == getattr(Request, name)
    made = command.make_context("run", ["--codec", "jpeg"]).params
    assert made["memory_limit"] is None
    assert made["limit"] is None


def test_defaults_of_check_are_those_of_its_conditions():
    made = dict(every_command())["check"].make_context("check", ["jpeg"]).params
    assert made["timeout"] == Conditions.call_seconds
    assert made["memory_limit"] * 2**30 == Conditions.memory_bytes
    assert made["threads"] == Conditions.threads
    assert made["environment"] == Conditions.environment


@pytest.mark.parametrize("name", ["bdrate", "report"])
def test_help_states_the_overlap_that_is_asked_for(name):
    (option,) = (o for path, o in every_option() if path == name and o.name == "min_overlap")
    assert float(Fraction(option.show_default)) == BDOptions().min_overlap


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--memory-limit", "0", "must be above 0, not 0"),
        ("--memory-limit", "-5", "must be above 0, not -5"),
        ("--memory-limit", "nan", "must be above 0, not nan"),
        ("--timeout", "0", "must be above 0, not 0"),
        ("--timeout", "inf", "must be above 0, not inf"),
        ("--limit", "0", "must be at least 1, not 0"),
        ("--repeats", "0", "must be at least 1, not 0"),
        ("--warmup", "-1", "must be at least 0, not -1"),
        ("--threads", "0", "must be at least 1, not 0"),
        ("--name", "../x", "must be the name of a folder"),
        ("--name", "a/b", "must be the name of a folder"),
        ("--name", "..", "must be the name of a folder"),
        ("--name", "", "must be the name of a folder"),
        ("--keep", "some", "is not one of 'all', 'bitstreams', 'none'"),
    ],
)
def test_an_invalid_value_is_refused_by_name(capsys, tmp_path, command, option, value, reason):
    code, out, error = harness(
        capsys, command, "--codec", "jpeg", option, value, "--results", tmp_path / "results"
    )
    assert code == 2
    assert not out
    problem, remedy = error.splitlines()
    assert problem.startswith(f"error: {option} ")
    assert reason in problem
    assert remedy == f"  'harness {command} --help' shows what it takes"
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "--device-memory", "-1"),
        ("paper", "progic", "--device-memory", "0"),
        ("paper", "progic", "--crop", "7"),
        ("runtime", "--rounds", "0"),
        ("runtime", "--cap", "0"),
        ("check", "jpeg", "--timeout", "0"),
        ("encode", "a.png", "a.bin", "--codec", "jpeg", "--threads", "0"),
        ("bdrate", "--exclude", ":0.1"),
        ("bdrate", "--exclude", "jpeg:nan"),
        ("bdrate", "--min-overlap", "2"),
    ],
)
def test_other_commands_refuse_theirs(capsys, arguments):
    code, _, error = harness(capsys, *arguments)
    assert code == 2
    assert error.startswith(f"error: {arguments[-2]} ")


@pytest.mark.parametrize("arguments", [("nothing",), ("run", "--nothing"), ("encode",)])
def test_a_command_line_that_does_not_parse_is_answered_in_two_lines(capsys, arguments):
    code, _, error = harness(capsys, *arguments)
    assert code == 2
    assert len(error.splitlines()) == 2
    assert "--help' shows what it takes" in error


def test_a_report_that_cannot_be_written_is_found_before_measuring(capsys, tmp_path, photographs):
    (tmp_path / "taken").write_text("")
    code, _, error = harness(
        capsys, "run", "--codec", "well-behaved", "--dataset", photographs,
        "--results", tmp_path / "results", "--out", tmp_path / "taken" / "report",
    )  # fmt: skip
    assert code == 2
    assert f"cannot write the report to {tmp_path / 'taken' / 'report'}" in error
    assert not (tmp_path / "results").exists()


def test_the_report_of_a_run_goes_to_out_itself(capsys, tmp_path, photographs):
    code, out, _ = harness(
        capsys, "run", "--codec", "well-behaved", "--dataset", photographs, "--metric", "psnr",
        "--limit", 1, "--threads", 1, "--results", tmp_path / "results", "--name", "mine",
        "--out", tmp_path / "report",
    )  # fmt: skip
    assert code == 0
    assert (tmp_path / "report" / "index.html").is_file()
    assert f"wrote {tmp_path / 'report' / 'index.html'}" in out


def test_reports_still_means_a_folder_of_the_runs_name_in_it(capsys, tmp_path, photographs):
    code, _, error = harness(
        capsys, "run", "--codec", "well-behaved", "--dataset", photographs, "--metric", "psnr",
        "--limit", 1, "--threads", 1, "--results", tmp_path / "results", "--name", "mine",
        "--reports", tmp_path / "reports",
    )  # fmt: skip
    assert code == 0
    assert (tmp_path / "reports" / "mine" / "index.html").is_file()
    notice = "--reports DIR is now --out DIR/NAME; the old spelling goes with the next release"
    assert error.splitlines().count(notice) == 1


@pytest.mark.parametrize("command", ["run", "plan", "bdrate", "history"])
def test_metrics_still_means_metric(capsys, tmp_path, command):
    codec = ["jpeg"] if command == "history" else []
    if command in {"run", "plan"}:
        codec = ["--codec", "jpeg"]
    for spelling in (["--metrics", "psnr,lpipz"], ["--metrics=lpipz"]):
        code, _, error = harness(capsys, command, *codec, *spelling, "--results", tmp_path)
        notice, problem, *_ = error.splitlines()
        assert notice == "--metrics is now --metric; the old spelling goes with the next release"
        assert code == 2
        if command in {"run", "plan"}:
            assert problem == "error: unknown metric 'lpipz'"


def test_old_and_new_spelling_together_give_all_metrics(capsys):
    command = dict(every_command())["plan"]
    made = command.make_context("plan", ["--metrics", "psnr", "--metric", "lpips,dists"])
    assert set(made.params["metric"]) == {"psnr", "lpips", "dists"}
    assert "--metrics is now --metric" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [("list", "runs", "--json"), ("bdrate", "--format", "json"), ("report",)]
)
def test_the_results_folder_may_still_stand_alone(capsys, results, tmp_path, command):
    where = ["--out", tmp_path / "report"] if command == ("report",) else []
    anchor = ["--anchor", "well-behaved"] if command[0] == "bdrate" else []
    new = harness(capsys, *command, "--results", results, *where, *anchor)
    old = harness(capsys, *command, results, *where, *anchor)
    assert old[:2] == new[:2]
    assert new[0] == 0
    assert not new[2]
    assert old[2] == (
        "the argument RESULTS is now --results; the old spelling goes with the next release\n"
    )


def test_old_spellings_are_not_in_the_help(capsys):
    for name in ("run", "plan", "history", "bdrate", "report"):
        _, shown, _ = harness(capsys, name, "--help")
        assert "--metrics" not in shown
        assert "--reports" not in shown
        assert "RESULTS" not in shown.splitlines()[0]


def test_metrics_is_still_a_keyword_of_run(photographs, tmp_path):
    import harness as package

    options = {"results": tmp_path, "threads": 1, "limit": 1, "rate": "bits5"}
    with pytest.warns(DeprecationWarning, match="metrics= is now metric="):
        frame = package.run("well-behaved", str(photographs), metrics="psnr", **options)
    assert frame["psnr"].notna().all()
    assert frame["ms_ssim"].isna().all()


def test_encode_and_decode_take_the_threads_that_a_codec_is_bound_to(capsys, tmp_path, photographs):
    source, stream = min(photographs.glob("*.png")), tmp_path / "a.bin"
    options = ("--codec", "well-behaved", "--threads", 1)
    assert harness(capsys, "encode", source, stream, *options)[0] == 0
    assert harness(capsys, "decode", stream, tmp_path / "a.png", *options)[0] == 0
    assert (tmp_path / "a.png").is_file()


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("harness run --codec jpeg,webp --rate q1", "q10"),
        ("harness encode --codec jpeg --rate q1", "q10"),
        ("harness bdrate --anchor jpeg-x", "jpeg-xl"),
        ("harness history jpeg-x", "jpeg-xl"),
        ("harness bdrate --metric psnr,lp", "psnr,lpips"),
        ("harness paper pro", "progic"),
        ("harness weights fetch hif", "hific"),
    ],
)
def test_names_are_completed(capsys, monkeypatch, words, completed):
    monkeypatch.setenv("_HARNESS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    _, out, _ = harness(capsys)
    assert completed in {line.partition(",")[2] for line in out.splitlines()}


def test_help_prints_no_control_characters(capsys):
    for name in COMMANDS:
        _, shown, _ = harness(capsys, name, "--help")
        assert not [c for c in shown if c != "\n" and not c.isprintable()]
        assert "\\b" not in shown


def test_json_is_json_in_every_command_that_has_it(capsys):
    for path, option in every_option():
        if option.name == "as_json" and path not in {"list runs", "env list"}:
            assert json.loads(harness(capsys, *path.split(), "--json")[1])
