"""What all tests share: the comparison with SPICE says once that it did not run, or fails where it must run."""

from __future__ import annotations

import os

import hypothesis
import pytest

from bridgebnn.model.spice.run import SpiceUnavailableError, find_tools
from tests import ROOT
from tests.model.spice.hand_deck.deck import missing

hypothesis.settings.register_profile("house", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("house")

REQUIRED = "BRIDGEBNN_REQUIRE_SPICE"
"""Variable that, set to 1, makes a missing ngspice a failure: the weekly run sets it."""
MARK = "needs SPICE: "

SLOW = {
    "tests/cosim/test_commands.py": ["test_bad_input_is_one_line_and_status_2"],
    "tests/cosim/test_maps.py": ["test_bit_for_bit"],
    "tests/cosim/test_power_up.py": ["test_no_initial_value_is_left"],
    "tests/hdl/control/test_hostile.py": ["test_abort_in_any_cycle", "test_lock_in_any_cycle_of_programming"],
    "tests/hdl/control/test_safety.py": ["test_rules_hold_for_any_input"],
    "tests/hdl/layers/test_layer_maps.py": [
        "test_abort_anywhere_and_again",
        "test_bad_walk",
        "test_bits_scores_and_cycles",
        "test_cycles_of_the_command",
    ],
    "tests/hdl/layers/test_layer_sequencer.py": [
        "test_abort_in_every_cycle_then_clean_runs",
        "test_broken_designs_are_seen",
        "test_shapes_and_timings",
    ],
    "tests/hdl/layers/test_repairs.py": [
        "test_a_bad_table_ends_before_any_read",
        "test_a_network_runs_around_broken_lines",
        "test_a_repair_that_is_not_told_is_seen",
        "test_broken_designs_are_seen",
        "test_without_spares_there_is_nothing_of_them",
    ],
    "tests/hdl/output/test_integration.py": [
        "test_every_name_is_a_plain_identifier_and_no_keyword",
        "test_memories_are_listed_with_their_ports",
        "test_nothing_is_written_into_the_package",
        "test_the_header_names_what_was_asked_for",
        "test_two_geometries_elaborate_together_without_a_warning",
    ],
    "tests/hdl/output/test_synthesis.py": [
        "test_a_latch_a_loop_and_a_register_without_reset_are_seen",
        "test_no_latches_no_asynchronous_state_no_loops",
    ],
    "tests/hdl/output/test_verilog.py": ["test_both_simulators_accept_the_text"],
    "tests/hdl/programming/test_program_mutants.py": ["test_broken_one_is_seen"],
    "tests/hdl/programming/test_program_sequencer.py": [
        "test_fault_in_every_cycle",
        "test_random_rows_are_refreshed",
    ],
    "tests/model/flows/test_inference.py": ["test_noisy_chip_equals_itself_row_by_row"],
    "tests/model/mapping/test_spares.py": ["test_a_network_runs_around_broken_lines"],
    "tests/model/networks/imports/test_foreign.py": ["test_lfc"],
    "tests/model/spice/test_required.py": ["test_a_missing_ngspice"],
    "tests/model/studies/test_conditions.py": [
        "test_four_strengths_lie_in_the_published_groups",
        "test_the_chosen_conditions_are_the_reset_values",
    ],
    "tests/model/studies/test_immunity.py": [
        "test_command_writes_picture_and_report_and_does_not_depend_on_processes"
    ],
    "tests/test_command_line.py": ["test_an_interrupt_in_mid_work_is_one_line_and_130"],
    "tests/test_site.py": [
        "test_page_opens",
        "test_interface_comes_from_docstrings",
        "test_search_works_without_a_server",
        "test_a_broken_link_is_caught",
    ],
    "tests/test_testplan.py": ["test_every_named_test_is_collected"],
}
"""Tests that `make check` leaves out without a simulator in them: each takes more than a second or two."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = item.path.relative_to(ROOT).as_posix() if item.path.is_relative_to(ROOT) else ""
        if getattr(item, "originalname", item.name) in SLOW.get(path, ()):
            item.add_marker(pytest.mark.slow)


def unavailable() -> str:
    """What SPICE lacks here; empty if nothing."""
    try:
        find_tools()
    except SpiceUnavailableError as error:
        return str(error)
    return missing()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("spice") and (reason := unavailable()):
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{reason}, and {REQUIRED} is 1", pytrace=False)
        pytest.skip(f"{MARK}{reason}")


def pytest_terminal_summary(terminalreporter) -> None:
    reasons = [
        str(report.longrepr[2]).split(MARK)[1]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and MARK in str(report.longrepr[2])
    ]
    if reasons:
        terminalreporter.write_line(
            f"the model was NOT compared with SPICE ({len(reasons)} tests): {reasons[0]} "
            f"(`make spice` does it all; {REQUIRED}=1 makes this a failure)",
            yellow=True,
        )
