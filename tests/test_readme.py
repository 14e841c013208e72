import doctest
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_readme_examples_run_and_print_what_they_say():
    result = doctest.testfile(str(README), module_relative=False)
    assert result.attempted >= 8 and result.failed == 0
