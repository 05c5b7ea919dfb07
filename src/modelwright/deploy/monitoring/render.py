"""The files of a monitoring set-up, as text by path."""

from __future__ import annotations

import json
from dataclasses import asdict

from jinja2 import Environment, PackageLoader, StrictUndefined

from modelwright.deploy.monitoring.dashboards import api_health, model_performance
from modelwright.deploy.monitoring.settings import MonitoringSettings

_TEMPLATES = {
    "README.md": "README.md.j2",
    "prometheus/prometheus.yml": "prometheus.yml.j2",
    "prometheus/rules/modelwright.yml": "rules.yml.j2",
    "prometheus/tests/modelwright_test.yml": "rules_test.yml.j2",
    "alertmanager/alertmanager.yml": "alertmanager.yml.j2",
    "grafana/provisioning/datasources/modelwright.yml": "datasource.yml.j2",
    "grafana/provisioning/dashboards/modelwright.yml": "provider.yml.j2",
}


def render(settings: MonitoringSettings) -> dict[str, str]:
    """Every file's text, by its path in the folder."""
    # Prometheus and Alertmanager have double braces of their own, so ours are others.
    environment = Environment(
        loader=PackageLoader("modelwright.deploy.monitoring"),
        autoescape=False,  # noqa: S701 - YAML, whose values ``MonitoringSettings`` has checked
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="[#",
        comment_end_string="#]",
    )
    environment.filters["camel"] = _camel
    values = {**asdict(settings), "webhook": settings.webhook, "floors": settings.limits}
    found = {path: environment.get_template(name).render(values) for path, name in _TEMPLATES.items()}
    for name, dashboard in (("api-health", api_health()), ("model-performance", model_performance())):
        found[f"grafana/dashboards/{name}.json"] = json.dumps(dashboard, indent=2) + "\n"
    return found


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
