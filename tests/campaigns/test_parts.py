"""Small parts of the campaigns: figures, exit codes, plans, what is read from elsewhere."""

import json
import random

import pytest

from . import report as reports
from .__main__ import CAMPAIGNS, parse
from .crowd import PAY_WITHIN_MS, Plan, half_to_be_paid, longest_silence
from .ledger import Answer, Ledger
from .modes import CAUSES, orders_a_second, planned
from .mutations import (Mutant, Replacement, SCRIPTS, SOURCES, TABLE, differences, misplaced,
                        mutants,
                        read_scripts, read_table)
from .report import Report
from .snapshot import LaneRow, Logged, _take


@pytest.fixture
def report(tmp_path, monkeypatch):
    monkeypatch.setattr(reports, "OUTPUT", tmp_path)
    return Report("test", 7, count=3)


def written(folder):
    (path,) = folder.glob("test-*-7.json")
    return json.loads(path.read_text())


def test_report_without_a_breach_ends_with_0(report, tmp_path):
    report.times("start", [0.5, 3, 1], 2)
    assert report.finish() == 0
    document = written(tmp_path)
    assert document["holds"] is True and document["seed"] == 7
    assert document["figures"] == {"start": "median 1.00 s, worst 3.00 s of 3"}
    assert document["targets"]["start"]["met"] is False


def test_report_with_a_breach_ends_with_1_and_keeps_the_evidence(report, tmp_path, capsys):
    report.breach("conservation", [])
    report.breach("conservation", ["lane 0"], "round 1: ")
    assert report.finish() == 1
    assert written(tmp_path)["breaches"] == {
        "conservation": {"count": 1, "evidence": ["round 1: lane 0"]}}
    assert "BROKEN conservation: 1" in capsys.readouterr().out


def ledger_of(*answers):
    ledger = Ledger()
    for answer in answers:
        ledger.note(1, "ann", answer)
    return ledger


def test_longest_silence_counts_definite_answers_to_purchases_alone():
    ledger = ledger_of(Answer(0, 1, "a", "buy", 202), Answer(1, 3, "a", "buy", 503),
                       Answer(1, 4, "a", "find", 200), Answer(5, 6, "a", "buy", 409),
                       Answer(6, 7, "a", "buy", 0))
    assert longest_silence(ledger, 0, 9) == (5, 1)
    assert longest_silence(ledger, 0, 20) == (14, 6)


def test_orders_a_second():
    ledger = ledger_of(Answer(0, 1, "a", "buy", 202), Answer(0, 2, "a", "buy", 201),
                       Answer(0, 2, "a", "buy", 200), Answer(0, 9, "a", "buy", 201))
    assert orders_a_second(ledger, 0, 4) == 0.5


def test_orders_of_half_of_the_sales_must_be_paid():
    plans = half_to_be_paid([Plan(stock=1) for _ in range(4)], random.Random(1))
    assert sorted(plan.pay_within_ms for plan in plans) == [0, 0, *sorted(PAY_WITHIN_MS)]
    assert ["pay_within_ms" in plan.terms() for plan in plans] == [
        plan.pay_within_ms > 0 for plan in plans]


def test_every_cause_of_a_mode_comes_about():
    causes = planned(1, 10)
    assert len(causes) == 10 and set(causes) == set(CAUSES)
    assert causes == planned(1, 10) != planned(2, 10)


def test_records_of_the_log():
    log = {}
    for value in (b'{"v":1,"order_id":"x","sale_id":3,"lane":1,"epoch":2}',
                  b'{"v":1,"fence":3,"sale_id":3,"lane":1}', b"\xff", b"[]", b"{}"):
        _take(value, log)
    assert log == {(3, 1): [Logged("x", 2), Logged("", 3)]}


def test_lane_that_the_store_sells():
    assert LaneRow(0, 9, 9, 2, 2).sold_by_store()
    assert not LaneRow(0, 9, 9, 3, 2).sold_by_store()
    assert not LaneRow(0, 9, 9, 0, 0).sold_by_store()


def test_mutants_are_found_in_the_source(tmp_path):
    (tmp_path / "a.cpp").write_text('if (mutant("b") || !mutant("a-c")) {}\n if (mutant("b")) {}')
    (tmp_path / "b.txt").write_text('mutant("d")')
    assert mutants(tmp_path) == ["a-c", "b"]


def test_table_of_mutants():
    table = read_table("# a remark\n\na | simulation | wrong\nb | x_test Some.*:-Other.* | worse\n")
    assert table == [Mutant("a", "simulation", "", "wrong"),
                     Mutant("b", "x_test", "Some.*:-Other.*", "worse")]
    assert len(differences(table * 2, ["a", "c"])) == 4
    with pytest.raises(AssertionError):
        read_table("a | x_test | no filter")


def test_every_mutant_has_its_place_in_the_table():
    assert not differences(read_table(TABLE.read_text(encoding="utf-8")), mutants(*SOURCES))


def test_table_of_mutants_in_scripts():
    scripts = read_scripts("# a remark\n\na | lua | x_test Some.* | wrong\n-  if x\n+  if y\n")
    mutant = Mutant("a", "x_test", "Some.*", "wrong")
    assert scripts == [(mutant, Replacement("lua", " if x", " if y"))]
    assert len(misplaced(scripts)) == 1
    with pytest.raises(ValueError):
        read_scripts("a | lua | x_test Some.* | wrong\n- x\n")
    with pytest.raises(AssertionError):
        read_scripts("a | lua | x_test Some.* | wrong\n- x\n+ x\n")


def test_every_mutant_in_scripts_replaces_what_is_there():
    scripts = read_scripts(SCRIPTS.read_text(encoding="utf-8"))
    names = [mutant.name for mutant, _ in scripts]
    assert not misplaced(scripts) and len(set(names)) == len(names) >= 15
    assert not set(names) & set(mutants(*SOURCES))


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_counts_of_the_short_and_of_the_long_form(name):
    _, ci, long, _ = CAMPAIGNS[name]
    assert parse([name]).count == ci < long == parse([name, "--long"]).count
    assert parse([name, "--count", "3", "--seed", "5"]).seed == 5


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["chaos", "--count", "0"]])
def test_wrong_command_line(arguments):
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
