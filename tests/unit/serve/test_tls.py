"""What a certificate is for, who trusts it, and what browsers and curl are told by that."""

from __future__ import annotations

from pathlib import Path

import pytest

from certificates import certificate
from modelwright.serve.tls import Certificate, HstsUnclear, TlsUnusable, curl_address, hsts_seconds, look_at

TRUSTED = Certificate(trusted=True, names=("models.example",))
OWN = Certificate(trusted=False, names=("models.example",))
MONTH = 30 * 86400


def test_one_signed_by_itself_is_trusted_by_nobody(tmp_path: Path) -> None:
    """It says whom it is for all the same."""
    made = certificate(tmp_path, ("models.internal", "*.models.internal", "10.0.0.7", "::1"))
    found = look_at(str(made.file), str(made.key_file))
    assert not found.trusted
    for host in ("models.internal", "Models.Internal", "eu.models.internal", "10.0.0.7", "0:0::1"):
        assert found.covers(host), host
    for host in ("internal", "a.b.models.internal", "10.0.0.8", "::2"):
        assert not found.covers(host), host


def test_one_of_an_authority_that_the_machine_knows_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a house's own; where it is not known, the names are read from the certificate alone."""
    house = certificate(tmp_path / "house", (), subject="the house")
    made = certificate(tmp_path / "server", ("models.house",), issuer=house)
    assert look_at(str(made.file), str(made.key_file)) == (False, ("models.house",))
    monkeypatch.setenv("SSL_CERT_FILE", str(house.file))
    assert look_at(str(made.file), str(made.key_file)) == (True, ("models.house",))


def test_where_no_name_is_given_the_subject_is_one(tmp_path: Path) -> None:
    """As curl takes it."""
    made = certificate(tmp_path, (), subject="old.example")
    assert look_at(str(made.file), str(made.key_file)).names == ("old.example",)


def test_one_that_is_out_of_date_is_trusted_by_nobody(tmp_path: Path) -> None:
    """And says nothing."""
    made = certificate(tmp_path, days=-1)
    assert look_at(str(made.file), str(made.key_file)) == (False, ())


def test_a_key_behind_a_passphrase_is_refused_without_a_question(tmp_path: Path) -> None:
    """A server has nobody who types it."""
    made = certificate(tmp_path, passphrase="secret")
    with pytest.raises(TlsUnusable, match=r"passphrase.*openssl pkey"):
        look_at(str(made.file), str(made.key_file))


def test_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    """One of the two missing, no PEM, or of two certificates."""
    one, other = certificate(tmp_path / "one"), certificate(tmp_path / "other")
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    with pytest.raises(TlsUnusable, match="--tls-key"):
        look_at(str(one.file), "")
    for cert, key in ((junk, one.key_file), (one.file, other.key_file), (tmp_path / "none", one.key_file)):
        with pytest.raises(TlsUnusable, match="belong together"):
            look_at(str(cert), str(key))


@pytest.mark.parametrize(
    ("asked", "shown", "port", "told"),
    [
        ("auto", TRUSTED, 443, MONTH),
        ("auto", TRUSTED, 5000, 0),
        ("auto", OWN, 443, 0),
        ("auto", None, 443, 0),
        ("off", TRUSTED, 443, 0),
        ("365d", OWN, 5000, 365 * 86400),
        ("OFF", None, 5000, 0),
    ],
)
def test_browsers_are_told_to_insist_where_that_locks_nobody_out(
    asked: str, shown: Certificate | None, port: int, told: int
) -> None:
    """By itself only as the host's own HTTPS, with a certificate that is trusted; or as it is asked for."""
    assert hsts_seconds(asked, shown, port) == told


@pytest.mark.parametrize(("asked", "shown"), [("soon", TRUSTED), ("0", TRUSTED), ("30d", None)])
def test_what_cannot_be_told_to_browsers_is_refused(asked: str, shown: Certificate | None) -> None:
    """No length of time, or no HTTPS to say it over."""
    with pytest.raises(HstsUnclear, match="--hsts"):
        hsts_seconds(asked, shown, 443)


@pytest.mark.parametrize(
    ("url", "shown", "address", "options"),
    [
        ("https://models.example:5000", TRUSTED, "https://models.example:5000", ""),
        ("https://models.example:5000", OWN, "https://models.example:5000", "--cacert 'a b/cert.pem'"),
        (
            "https://127.0.0.1:5000",
            TRUSTED,
            "https://models.example:5000",
            "--resolve models.example:5000:127.0.0.1",
        ),
        (
            "https://[::1]:5000",
            Certificate(trusted=True, names=("10.0.0.7", "*.models.example")),
            "https://www.models.example:5000",
            "--resolve 'www.models.example:5000:[::1]'",
        ),
        (
            "https://127.0.0.1:5000",
            Certificate(trusted=False, names=()),
            "https://127.0.0.1:5000",
            "--cacert 'a b/cert.pem'",
        ),
    ],
)
def test_curl_is_given_what_it_needs(url: str, shown: Certificate, address: str, options: str) -> None:
    """The file where the certificate is not trusted, and the name that it is for."""
    assert curl_address(url, "a b/cert.pem", shown) == (address, options)
