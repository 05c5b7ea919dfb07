"""Estimator classes by dotted path, and their settings checked before any training."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import inspect
from typing import Any, Protocol, cast

from modelwright.errors import MissingExtra
from modelwright.train.errors import SettingsInvalid

_OPTIONAL = {"xgboost": "train", "lightgbm": "train", "sklearn": "train"}


class Estimator(Protocol):
    """What training needs of a model: scikit-learn's interface. ``Any`` because libraries differ."""

    def fit(self, X: Any, y: Any = None, **arguments: Any) -> Any:  # noqa: N803 - scikit-learn's name
        """Learn from rows."""

    def predict(self, X: Any) -> Any:  # noqa: N803
        """Answer for rows."""


def estimator_class(path: str) -> type[Any]:
    """The class at a dotted path such as ``sklearn.ensemble.AdaBoostClassifier``.

    Raises:
        SettingsInvalid: No such module or class, or it is not an estimator.
        MissingExtra: The module belongs to an extra that is not installed.
    """
    module_name, _, class_name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        top = module_name.partition(".")[0]
        if top in _OPTIONAL and error.name == top:
            raise MissingExtra(top, _OPTIONAL[top]) from error
        raise SettingsInvalid(
            f"The candidate '{path}' cannot be imported: {error}.",
            f"Check the spelling of '{module_name}', and that its package is installed here.",
        ) from error
    found = getattr(module, class_name, None)
    if found is None:
        close = difflib.get_close_matches(class_name, dir(module), n=1)
        hint = f" Did you mean '{module_name}.{close[0]}'?" if close else ""
        raise SettingsInvalid(
            f"The module '{module_name}' has no class '{class_name}'.",
            f"Name an estimator by its full dotted path.{hint}",
        )
    lacking = [method for method in ("fit", "predict") if not callable(getattr(found, method, None))]
    if not inspect.isclass(found) or lacking:
        what = "is not a class" if not inspect.isclass(found) else f"has no method {' and no '.join(lacking)}"
        raise SettingsInvalid(
            f"The candidate '{path}' {what}, so it cannot be trained.",
            "Name a class with scikit-learn's interface: fit and predict, for labels also predict_proba.",
        )
    return cast("type[Any]", found)


def known_settings(cls: type[Any]) -> tuple[tuple[str, ...], bool]:
    """Names the class takes as settings, and whether it takes others as well (``**kwargs``)."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    is_open = any(p.kind is p.VAR_KEYWORD for p in parameters)
    if is_open and hasattr(cls, "get_params"):
        with contextlib.suppress(TypeError):  # it cannot be made without arguments: the signature must do
            names = sorted({*names, *cls().get_params()})
    return tuple(names), is_open


def check_settings(candidate: str, cls: type[Any], settings: dict[str, Any]) -> None:
    """Refuse settings the class does not take.

    Raises:
        SettingsInvalid: Naming each of them, with what was probably meant.
    """
    names, is_open = known_settings(cls)
    problems: list[str] = []
    for name in settings:
        if name in names:
            continue
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.8 if is_open else 0.5)
        if close:
            problems.append(f"'{name}': did you mean '{close[0]}'?")
        elif not is_open:
            problems.append(f"'{name}': {cls.__name__} takes {', '.join(names) or 'no settings'}")
    if problems:
        raise SettingsInvalid(
            f"The candidate '{candidate}' has no setting {problems[0]}",
            "Mend its settings under train.candidates in the project file.",
            details=problems[1:],
        )


def build(candidate: str, cls: type[Any], settings: dict[str, Any]) -> Estimator:
    """An unfitted estimator, its settings checked by name and, where the library can, by value.

    Raises:
        SettingsInvalid: A setting the class does not take, or a value it refuses.
    """
    check_settings(candidate, cls, settings)
    try:
        estimator = cls(**settings)
        # scikit-learn checks values only when fitting; asking now saves the time of the other candidates.
        if hasattr(estimator, "_validate_params") and hasattr(estimator, "_parameter_constraints"):
            estimator._validate_params()
    except (TypeError, ValueError) as error:
        raise SettingsInvalid(
            f"The candidate '{candidate}' refuses its settings: {error}",
            "Mend its settings under train.candidates in the project file.",
        ) from error
    return cast("Estimator", estimator)


def accepts_weights(cls: type[Any]) -> bool:
    """Whether ``fit`` takes ``sample_weight``."""
    return "sample_weight" in inspect.signature(cls.fit).parameters
