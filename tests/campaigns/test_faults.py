"""The schedule of faults is reproducible, and within its bounds."""

from .faults import KILLS, KINDS, LONGEST_S, NODE, SHORTEST_S, schedule


def test_the_same_seed_gives_the_same_faults():
    assert schedule("7.1", 50, 1.0) == schedule("7.1", 50, 1.0)
    assert schedule("7.1", 50, 1.0) != schedule("7.2", 50, 1.0)


def test_every_kind_happens_within_its_bounds():
    nodes = "abcde"
    faults = schedule(1, 2000, 1.0, nodes)
    possible = {(one, kind) for target, kind, _ in KINDS
                for one in (nodes if target == NODE else [target])}
    assert {(fault.target, fault.kind) for fault in faults} == possible
    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
    for fault in faults:
        if fault.kind == "pause":
            assert SHORTEST_S <= fault.lasts <= LONGEST_S
        elif fault.kind in KILLS:
            assert SHORTEST_S <= fault.lasts <= 1.5
    pauses = [fault.lasts for fault in faults if fault.kind == "pause"]
    assert min(pauses) < 0.3 and max(pauses) > 7


def test_faults_overlap():
    faults = schedule(1, 200, 1.0)
    overlapping = [1 for one, two in zip(faults, faults[1:])
                   if two.target != one.target and two.at < one.at + one.lasts]
    assert len(overlapping) > 50
