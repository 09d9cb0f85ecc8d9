from tests.benchmarks.serving import load_test


def test_clients_that_never_pause(base):
    """A short form of ``python -m tests.benchmarks.serving --load-test``: there is no time to judge memory by 5 %."""
    report = load_test(base, clients=8, seconds=3.0, max_growth=0.3)
    assert report.startswith("8 clients") and " 0 errors" in report
