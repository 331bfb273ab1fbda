"""Injected faults are found and told apart; scripts/judge_incidents.py does the same with fifty variants of each."""

import pytest
from incidents.injected import corpus
from incidents.judging import MUTANTS, judge


def test_each_fault_has_one_row_whatever_its_ids_lines_paths_and_order(tmp_path, caplog):
    """Every incident is caught, as one row of its own; nothing else is."""
    caplog.set_level("CRITICAL", "exai.none")
    faults = corpus()
    verdict = judge(faults, 2, tmp_path)

    assert 200 == len(faults)
    assert verdict.detected == verdict.expected
    assert 0 == verdict.invented + verdict.wrong_kind + verdict.duplicates
    assert verdict.merged <= 0.005 * verdict.told
    assert verdict.split <= 0.02 * verdict.told


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_fingerprint_that_is_wrong_is_noticed(mutant, tmp_path):
    """Planted on purpose: what it says of the same faults misses a goal."""
    faults = [fault for fault in corpus() if fault.name.startswith(("call-0", "near-", "told-"))]
    verdict = judge(faults, 2, tmp_path, mutant)

    assert verdict.split > 0.02 * verdict.told or verdict.merged > 0.005 * verdict.told
