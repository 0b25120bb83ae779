"""The results that allure-pytest itself writes for tests that explored: ours say all of it, and take their place."""

import allure_commons
import pytest

from ..reports.allure import name_of_own_result


class OwnResults:
    """Names allure-pytest's result of a test so that the recovery report replaces it, where the report says as much.

    The result of a test that failed for another reason, or was interrupted, keeps its name. This works in the process
    that ran the test, also a worker of pytest-xdist; the controller writes the report at the end of the session.
    """

    def __init__(self) -> None:
        self._name = ""

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the new name of a test's result before allure-pytest writes it; "" where it is not to be replaced."""
        if report.when == "call":
            told = getattr(report, "rollproof", []) and (report.passed or hasattr(report, "rollproof_failed"))
            self._name = name_of_own_result(report.nodeid) if told else ""
        elif not report.passed:
            self._name = ""

    @allure_commons.hookimpl(tryfirst=True)
    def report_result(self, result: object) -> None:
        """Give the result that is written next its new name."""
        if self._name:
            result.file_pattern = self._name  # type: ignore[attr-defined]
            self._name = ""


def register(config: pytest.Config) -> None:
    """Register `OwnResults` with pytest and with Allure, until the session is over."""
    ours = OwnResults()
    config.pluginmanager.register(ours, "rollproof-allure")
    allure_commons.plugin_manager.register(ours)
    config.add_cleanup(lambda: allure_commons.plugin_manager.unregister(ours))
