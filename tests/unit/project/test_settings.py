"""Every setting is found where it was said last, and says where that was."""

import pytest

from modelwright.errors import ExitCode
from modelwright.project.load import load
from modelwright.project.settings import SETTINGS, SettingsInvalid, resolve


@pytest.fixture
def project(tmp_path):
    """A project whose file gives a port."""
    (tmp_path / "project.yaml").write_text("name: x\ndata: {source: a, target: t}\nserve:\n  port: 6000\n")
    return load(tmp_path)


def test_defaults_lie_in_the_working_folder(project):
    """Without any word, store and runs are SQLite files of the project."""
    settings = resolve(project, environ={})
    assert settings.store_url == f"sqlite:///{project.working}/store.db"
    assert settings.tracking_uri == f"sqlite:///{project.working}/mlflow.db"
    assert settings.entry("store_url").source == "default"
    assert (settings.host, settings.warnings) == ("127.0.0.1", ())
    assert 1 <= settings.workers <= 4


def test_the_later_word_counts(project):
    """Default < project file < environment < flag, each with its source."""
    environ = {"MODELWRIGHT_PORT": "7000"}
    found = [
        resolve(environ={}),
        resolve(project, environ={}),
        resolve(project, environ=environ),
        resolve(project, environ=environ, flags={"port": 8000, "host": None}),
    ]
    assert [settings.port for settings in found] == [5000, 6000, 7000, 8000]
    assert [settings.entry("port").source for settings in found] == [
        "default",
        "project.yaml:4",
        "environment MODELWRIGHT_PORT",
        "flag --port",
    ]


def test_the_working_folder_moves_what_is_in_it(project, tmp_path):
    """A relative work_dir starts at the project, and store and runs follow."""
    settings = resolve(project, environ={"MODELWRIGHT_WORK_DIR": "elsewhere"})
    assert settings.work_dir == tmp_path / "elsewhere"
    assert settings.store_url == f"sqlite:///{tmp_path}/elsewhere/store.db"


def test_without_a_project_the_working_folder_is_here(tmp_path, monkeypatch):
    """Serving a bundle needs no project."""
    monkeypatch.chdir(tmp_path)
    assert resolve(environ={}).work_dir == tmp_path / ".modelwright"


def test_every_bad_value_is_told_at_once(project):
    """The error names each source, its value and what is wrong, with passwords masked."""
    with pytest.raises(SettingsInvalid) as caught:
        resolve(
            project,
            environ={
                "MODELWRIGHT_WORKERS": "0",
                "MODELWRIGHT_STORE_URL": "postgres",
                "MODELWRIGHT_LOG_LEVEL": "loud",
                "MODELWRIGHT_HOST": " ",
                "MODELWRIGHT_BUNDLES_URL": "/mnt/models",
            },
            flags={"port": "http://ann:secret@x"},
        )
    assert caught.value.code is ExitCode.PROJECT
    details = "\n".join(caught.value.details)
    assert "environment MODELWRIGHT_WORKERS: '0' is not between 1 and 256." in details
    assert "environment MODELWRIGHT_STORE_URL: 'postgres' is not a URL" in details
    assert "environment MODELWRIGHT_LOG_LEVEL: 'loud' is none of debug" in details
    assert "environment MODELWRIGHT_HOST: ' ' is empty." in details
    assert "environment MODELWRIGHT_BUNDLES_URL: '/mnt/models' is not an address such as s3://" in details
    assert "flag --port: 'http://ann:***@x' is not a whole number." in details


def test_passwords_are_never_shown(project):
    """The value holds the password, what is printed does not."""
    settings = resolve(project, environ={"MODELWRIGHT_STORE_URL": "postgresql://ann:secret@db/x"})
    assert settings.store_url == "postgresql://ann:secret@db/x"
    assert settings.entry("store_url").shown == "postgresql://ann:***@db/x"


def test_one_address_does_for_several_projects(project):
    """The project's name stands where the address says so; without a project that is a mistake."""
    environ = {"MODELWRIGHT_STORE_URL": "postgresql://ann:secret@db/{project}"}
    assert resolve(project, environ=environ).store_url == f"postgresql://ann:secret@db/{project.name}"
    with pytest.raises(SettingsInvalid) as caught:
        resolve(environ=environ)
    assert caught.value.details == (
        "environment MODELWRIGHT_STORE_URL: 'postgresql://ann:***@db/{project}' has {project} in it, "
        "and there is no project here.",
    )


def test_an_unknown_variable_is_a_warning(project):
    """A mis-spelt variable does nothing: it is told, with the one probably meant."""
    warnings = resolve(project, environ={"MODELWRIGHT_PROT": "1", "MODELWRIGHT_QUUX": "2"}).warnings
    assert "MODELWRIGHT_PROT is not known and does nothing. Did you mean MODELWRIGHT_PORT?" in warnings[0]
    assert "Known: MODELWRIGHT_WORK_DIR" in warnings[1]


def test_every_setting_is_described():
    """A setting without a description could not be explained by the config command."""
    assert all(setting.description.endswith(".") for setting in SETTINGS)


def test_variables_that_are_read_elsewhere_are_known(project):
    """Each variable of authentication, traces and alarms is taken; a mis-spelt one is told."""
    from modelwright.monitor import notify_settings
    from modelwright.serve import tracing
    from modelwright.serve.auth import settings as auth

    constants = [value for module in (notify_settings, auth, tracing) for value in vars(module).values()]
    environ = {str(name): "1" for name in constants if str(name).startswith("MODELWRIGHT_")}
    assert len(environ) > 20
    assert not resolve(project, environ=environ).warnings
    (warning,) = resolve(project, environ={"MODELWRIGHT_OIDC_ISUER": "https://x"}).warnings
    assert "Did you mean MODELWRIGHT_OIDC_ISSUER?" in warning
