"""What times were taken under: where it is missing, and how an environment is printed."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.analysis.conditions import environment_detail, environment_name, with_conditions


@pytest.mark.parametrize(
    ("environment", "name", "detail"),
    [
        ("inline", "inline", "versions of libraries not recorded"),
        ("inline:pillow@13.0.0,torch@2.14", "inline", "with pillow 13.0.0, torch 2.14"),
        ("venv:oscar@1a2b", "venv oscar", "recipe 1a2b"),
        ("docker:hific@3c4d", "docker hific", "recipe 3c4d"),
    ],
)
def test_a_name_says_where_and_the_detail_says_with_what(environment, name, detail):
    assert (environment_name(environment), environment_detail(environment)) == (name, detail)


def test_records_without_an_environment_were_made_inline():
    assert list(with_conditions(pd.DataFrame({"codec": ["jpeg"]}))["environment"]) == ["inline"]
    frame = pd.DataFrame({"environment": [None, "venv:a@1", ""]})
    assert list(with_conditions(frame)["environment"]) == ["inline", "venv:a@1", "inline"]
    unknown = pd.DataFrame({"environment": [float("nan")]})
    assert list(with_conditions(unknown)["environment"]) == ["inline"]
