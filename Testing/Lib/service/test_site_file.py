"""The site's file: read strictly, its errors name the key, its paths lie beside it, its example is a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from NeuroTriageLib.core.errors import ConfigError, InputError
from NeuroTriageLib.service.site_check import site_lines
from NeuroTriageLib.service.site_config import SiteConfig
from NeuroTriageLib.service.site_file import read_site_file

ROOT = Path(__file__).resolve().parents[3]


def read(folder: Path, text: str) -> SiteConfig:
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return read_site_file(path)


def test_relative_paths_are_seen_from_the_files_own_folder(tmp_path: Path) -> None:
    site = read(tmp_path, '[node]\ndata_folder = "data"\n[node.tls]\ncertificate = "/etc/node.pem"\n')
    assert site.node.data_folder == tmp_path / "data"
    assert site.node.tls is not None and site.node.tls.certificate == Path("/etc/node.pem")


def test_a_model_beside_the_file_is_a_path_and_any_other_a_name(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    text = '[node]\ndata_folder = "data"\n[readers]\nct_model = "mine"\nmr_model = "theirs"\n'
    readers = read(tmp_path, text).readers
    assert (readers.ct_model, readers.mr_model) == (str(tmp_path / "mine"), "theirs")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[node]\ndata_folder = "d"\nprot = 104', "node.prot: unknown key"),
        ('[node]\ndata_folder = "d"\nport = 70000', "node.port"),
        ('[node]\ndata_folder = "d"\n[[callers]]\nae_title = "LONGER THAN SIXTEEN"', "callers[0].ae_title"),
        ('[node]\ndata_folder = "d"\n[[callers]]\nae_title = "A"\naddresses = ["10.0.0/x"]', "callers[0].addresses[0]"),
        ('[node]\ndata_folder = "d"\n[[destinations]]\nname = "pacs"', "needs ae_title, host, port"),
        ('[node]\ndata_folder = "d"\n[http]\naddress = "0.0.0.0"', "loopback"),
        ('[node]\ndata_folder = "d"\n[[listeners]]\nname = "r"\nurl = "https://user:word@host/"', "listeners[0].url"),
        ('[[watch]]\nname = "a"\nfolder = "in"\ntaken_folder = "in/taken"', "taken_folder must not lie in folder"),
        ("[readers]\nprocesses = 0", "node: "),
        ("no = toml = at all", "TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert named in caught.value.message()


def test_things_can_be_kept_for_ever(tmp_path: Path) -> None:
    rule = read(tmp_path, '[node]\ndata_folder = "d"\n[retention]\nresults_days = "never"\n').retention
    assert (rule.images_days, rule.results_days) == (7.0, None)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"site\.toml"):
        read_site_file(tmp_path / "site.toml")


def test_two_destinations_cannot_have_the_same_name(tmp_path: Path) -> None:
    one = '[[destinations]]\nname = "pacs"\nae_title = "P"\nhost = "h"\nport = 104\n'
    with pytest.raises(ConfigError, match="same name"):
        read(tmp_path, f'[node]\ndata_folder = "d"\n{one}{one}')


def test_the_example_is_read_and_every_section_is_in_it() -> None:
    site = read_site_file(ROOT / "Resources" / "Deploy" / "site.toml")
    assert site.callers and site.destinations and site.listeners and site.watch
    assert site.http is not None and site.http.users
    assert not [user for user in site.http.users if user.password_hash or user.token_sha256]  # known to everybody


def test_the_unit_lets_the_example_write_and_a_port_below_1024_be_asked_for() -> None:
    unit = (ROOT / "Resources" / "Deploy" / "neurotriage.service").read_text(encoding="utf-8")
    site = read_site_file(ROOT / "Resources" / "Deploy" / "site.toml")
    (writable,) = (line.split("=-")[1] for line in unit.splitlines() if line.startswith("ReadWritePaths=-"))
    assert all(watch.folder.is_relative_to(writable) for watch in site.watch)
    # systemd.exec(5): an empty list takes back what was set before it.
    assert unit.index("\nCapabilityBoundingSet=\n") < unit.index("#CapabilityBoundingSet=CAP_NET_BIND_SERVICE")


def test_what_the_node_would_do_is_said_in_lines(tmp_path: Path) -> None:
    text = '[node]\ndata_folder = "data"\n[[callers]]\nae_title = "CT1"\n'
    lines = "\n".join(site_lines(read(tmp_path, text)))
    assert "listens on 127.0.0.1:11112 as NEUROTRIAGE, without TLS" in lines
    assert "CT1 may send from anywhere" in lines
    assert "Results are sent nowhere" in lines


def test_a_certificate_that_is_not_there_is_found_before_the_node_runs(tmp_path: Path) -> None:
    text = '[node]\ndata_folder = "data"\n[node.tls]\ncertificate = "no.pem"\nprivate_key = "no.pem"\n'
    with pytest.raises(ConfigError, match=r"no\.pem"):
        list(site_lines(read(tmp_path, text)))
