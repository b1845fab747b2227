"""What holds for all tests of the library."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def no_users_models(tmp_path_factory):
    """Models that were accepted on this computer read none of the tests' exams."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
            patch.setenv(name, str(tmp_path_factory.mktemp("user_data")))
        yield


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Small tensors: threads only wait for each other when other programs run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
