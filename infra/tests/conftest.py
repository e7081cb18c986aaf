"""What holds for these tests: Pulumi leaves event loops of its own open, and that is not a fault of the program."""


def pytest_configure(config):
    for what in ("BaseEventLoop.__del__", "<socket.socket"):
        ignored = f"ignore:Exception ignored in. .*{what}:pytest.PytestUnraisableExceptionWarning"
        config.addinivalue_line("filterwarnings", ignored)
