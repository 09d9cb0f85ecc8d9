import pytest
from miniature import ravdess_files, touch


@pytest.fixture
def ravdess_root(tmp_path):
    """Return a whole RAVDESS of empty files."""
    return touch(tmp_path / "RAVDESS", ravdess_files())
