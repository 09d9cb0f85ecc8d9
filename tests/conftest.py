"""Where the tests find sound."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY / "tests" / "data"
# Whole corpora, which a developer may have beside the repository. No test needs them; some check more with them.
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def clips() -> dict[str, Path]:
    """One EmoDB clip for each of four emotions, each of another speaker."""
    wav = DATA / "emodb" / "wav"
    return {
        "anger": wav / "03a01Wa.wav",
        "happiness": wav / "09a04Fd.wav",
        "neutral": wav / "11a02Nc.wav",
        "sadness": wav / "14a02Tb.wav",
    }


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of whole corpora; the test is skipped where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the corpora of ../shared/data, which are not here")
    return SHARED_DATA
