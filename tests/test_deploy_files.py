"""The files that start Kilowatch elsewhere: complete, pinned, without needless rights or secrets.

There is no Docker engine in these tests; what the engine would check of the compose file's shape is
checked here as far as we use it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.cli import COMMANDS
from streams.settings import Settings, settings_from

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: each for name, each in SERVICES.items() if each["image"].startswith("kilowatch:")}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
MANIFESTS = [(path.name, each) for path in sorted((DEPLOY / "kubernetes").iterdir())
             for each in yaml.safe_load_all(path.read_text())]  # fmt: skip
PODS = {each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for _file, each in MANIFESTS if "template" in each.get("spec", {})}  # fmt: skip
CLAIMS = {each["metadata"]["name"]: {claim["metadata"]["name"]: claim["spec"] for claim in claims}
          for _file, each in MANIFESTS
          if (claims := each.get("spec", {}).get("volumeClaimTemplates"))}  # fmt: skip
KUBERNETES = ("1.29", "1.31", "1.34")
PINNED = re.compile(r"^[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9]+)*$")
KNOWN_TO_COMPOSE = {
    "image", "build", "restart", "read_only", "tmpfs", "cap_drop", "security_opt", "networks",
    "environment", "env_file", "command", "volumes", "healthcheck", "depends_on", "secrets",
    "ports", "mem_limit", "stop_grace_period",
}  # fmt: skip


def test_compose_has_every_part_and_nothing_it_does_not_know() -> None:
    assert set(COMPOSE) == {"name", "services", "networks", "volumes", "secrets",
                            "x-kilowatch", "x-settings", "x-database"}  # fmt: skip
    assert set(SERVICES) == {"kafka", "topics", "worker", "api", "history", "credit", "customers",
                             "postgres", "prometheus", "alertmanager", "grafana"}  # fmt: skip
    assert len(OURS) == 6


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_bounded_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= KNOWN_TO_COMPOSE
    assert PINNED.match(service["image"]), "an image without a version changes by itself"
    assert service["mem_limit"]
    assert "restart" in service
    if name != "topics":  # it ends when it is done
        assert service["healthcheck"]["test"][0] == "CMD"
    for each in service.get("ports", ()):
        assert each.startswith("127.0.0.1:"), "a port open to the world has no TLS before it"
    for volume in service.get("volumes", ()):
        source = volume.partition(":")[0]
        assert source in COMPOSE["volumes"] or (DEPLOY / source).exists(), volume
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
    assert set(service["networks"]) <= set(COMPOSE["networks"])
    for other, how in service.get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert (other, how["condition"]) == ("topics", "service_completed_successfully")


@pytest.mark.parametrize("name", OURS)
def test_our_services_have_no_rights_and_known_settings(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["image"] == f"kilowatch:{VERSION}"
    assert service["command"][0] in COMMANDS
    settings = {
        key: re.sub(r"\$\{[A-Z_]+:-(.*)\}", r"\1", value)
        for key, value in service["environment"].items()
        if key.startswith("KILOWATCH_")
    }
    found = settings_from(settings)
    assert found.partitions == 8
    assert found.bootstrap == "kafka:9092"


SECRET = re.compile(
    r"""(?i)[a-z_]*(password|secret|token|key)["']?\s*[:=]\s*["']?[a-z0-9]{8,}["']?$"""
)
"""A literal value; a path, a variable and a name in braces are none."""


def test_no_secret_stands_in_a_file() -> None:
    assert SECRET.search("POSTGRES_PASSWORD: hunter2hunter2"), "the pattern finds one"
    for path in DEPLOY.rglob("*"):
        if path.suffix in {".yaml", ".service"} or path.name == "Dockerfile":
            found = [line for line in path.read_text().splitlines() if SECRET.search(line)]
            assert found == [], path
    for name, secret in COMPOSE["secrets"].items():
        assert secret["file"].startswith("secrets/"), name
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text()
    assert "deploy/secrets" in (ROOT / ".dockerignore").read_text()


def test_prometheus_and_grafana_ask_services_there_are() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text())
    for job in config["scrape_configs"]:
        (where,) = job["dns_sd_configs"]
        (name,) = where["names"]
        assert name in OURS
        assert where["port"] == (Settings().api_port if name == "api" else Settings().metrics_port)
    assert config["rule_files"] == ["alerts.yaml"]
    (manager,) = config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert manager.partition(":")[0] in SERVICES
    sources = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/kilowatch.yaml").read_text()
    )
    for source in sources["datasources"]:
        assert re.sub(r"^http://", "", source["url"]).partition(":")[0] in SERVICES
    provisioned = DEPLOY / "grafana/provisioning"
    boards = yaml.safe_load((provisioned / "dashboards/kilowatch.yaml").read_text())
    mounted = {each.split(":")[1]: each.split(":")[0] for each in SERVICES["grafana"]["volumes"]}
    assert mounted[boards["providers"][0]["options"]["path"]] == "./grafana/dashboards"


def test_the_image_is_pinned_hashed_and_has_no_rights() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(set(bases)) == 1
    assert PINNED.match(bases[0])
    assert f":{'.'.join(bases[0].split(':')[1].split('.')[:2])}" == ":3.11"
    assert "--require-hashes --no-deps -r /src/requirements.lock" in DOCKERFILE
    assert DOCKERFILE.index("USER 10001") < DOCKERFILE.index("ENTRYPOINT")
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for name in source.split():
            assert (ROOT / name).exists(), name
            assert f"!{name}" in (ROOT / ".dockerignore").read_text().splitlines(), name


def test_what_the_image_copies_builds_and_loses_no_file(tmp_path: Path) -> None:
    source, wheels = tmp_path / "src", tmp_path / "wheels"
    wheels.mkdir()
    for names in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for name in names.split():
            if (ROOT / name).is_dir():
                passed = shutil.ignore_patterns("__pycache__", "secrets")
                shutil.copytree(ROOT / name, source / name, ignore=passed)
            else:
                source.mkdir(exist_ok=True)
                shutil.copy(ROOT / name, source / name)
    build = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", build, str(wheels)], cwd=source, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = wheels.iterdir()
    carried = set(zipfile.ZipFile(wheel).namelist())
    packages = ("scoring", "streams", "api", "simulator", "deploy")
    wanted = {str(path.relative_to(source)) for name in packages
              for path in (source / name).rglob("*.py")}  # fmt: skip
    for folder in (
        "api/templates",
        "api/assets",
        "api/paper",
        "simulator/sample",
        "deploy/tariffs",
    ):
        wanted |= {str(path.relative_to(source)) for path in (source / folder).iterdir()}
    assert len(wanted) > 200
    assert wanted <= carried, sorted(wanted - carried)
    entry = zipfile.ZipFile(wheel).read(f"kilowatch-{VERSION}.dist-info/entry_points.txt").decode()
    assert "kilowatch = deploy.cli:main" in entry


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize(("file", "manifest"), MANIFESTS, ids=lambda each: str(each)[:24])
def test_a_manifest_is_one_for_kubernetes(
    version: str, file: str, manifest: dict[str, Any]
) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)
    assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"] == "kilowatch"


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_no_rights_and_known_settings(name: str) -> None:
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert container["image"] == f"kilowatch:{VERSION}"
    assert container["args"][0] in COMMANDS
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod["volumes"]} | set(CLAIMS.get(name, {}))
    shared = next(each["data"] for _f, each in MANIFESTS if each["kind"] == "ConfigMap")
    own = {each["name"]: each.get("value", "from elsewhere") for each in container["env"]}
    wanted = {key: value for key, value in (shared | own).items() if key.startswith("KILOWATCH_")}
    settings_from(wanted)
    for value in wanted.values():
        if value.startswith("/etc/kilowatch/") and (name == "topics" or "kafka" not in value):
            assert any(value.startswith(each["mountPath"]) for each in container["volumeMounts"])


@pytest.mark.parametrize("name", ["worker", "api", "history", "credit", "customers"])
def test_a_pod_takes_work_only_when_ready(name: str) -> None:
    (container,) = PODS[name]["containers"]
    ready = container["readinessProbe"]["httpGet"]["path"]
    assert ready == ("/readyz" if name == "api" else "/metrics")
    assert container["startupProbe"]
    (manifest,) = [
        each
        for _file, each in MANIFESTS
        if each["metadata"]["name"] == name and "template" in each.get("spec", {})
    ]
    labels = manifest["spec"]["template"]["metadata"]["labels"]
    assert manifest["spec"]["selector"]["matchLabels"].items() <= labels.items()
    if name in {"history", "credit", "customers"}:
        assert manifest["spec"]["strategy"]["type"] == "Recreate", "two would write the same"
        assert manifest["spec"]["replicas"] == 1


def test_a_browser_stays_at_the_process_it_signed_in_at() -> None:
    (service,) = (each["spec"] for _file, each in MANIFESTS
                  if each["metadata"]["name"] == "api" and each["kind"] == "Service")  # fmt: skip
    assert service["sessionAffinity"] == "ClientIP"


def test_a_line_of_the_audit_that_waits_outlives_its_process() -> None:
    """On Kubernetes, under compose, under systemd: where the file is written, something lasts."""
    (container,) = PODS["api"]["containers"]
    (path,) = (each["value"] for each in container["env"] if "AUDIT" in each["name"])
    (mount,) = (each for each in container["volumeMounts"] if path.startswith(each["mountPath"]))
    claim = CLAIMS["api"][mount["name"]]
    assert claim["accessModes"] == ["ReadWriteOnce"], "each pod has its own"
    (kept,) = (each["spec"]["persistentVolumeClaimRetentionPolicy"] for _file, each in MANIFESTS
               if each["metadata"]["name"] == "api" and each["kind"] == "StatefulSet")  # fmt: skip
    assert set(kept.values()) == {"Retain"}
    path = SERVICES["api"]["environment"]["KILOWATCH_AUDIT_FILE"]
    (volume,) = (each for each in SERVICES["api"]["volumes"] if each.split(":")[0] == "audit")
    assert path.startswith(volume.split(":")[1])
    assert "audit" in COMPOSE["volumes"]
    unit = (DEPLOY / "systemd/kilowatch-api.service").read_text()
    (name,) = re.findall(r"^StateDirectory=(\S+)$", unit, re.MULTILINE)
    assert f"KILOWATCH_AUDIT_FILE=/var/lib/{name}/" in unit


@pytest.mark.parametrize("path", sorted((DEPLOY / "systemd").iterdir()), ids=lambda path: path.name)
def test_a_unit_runs_a_command_with_known_settings(path: Path) -> None:
    text = path.read_text()
    word = re.search(r"^ExecStart=/opt/kilowatch/bin/kilowatch (\S+)$", text, re.MULTILINE)
    assert word is not None
    assert word[1] in COMMANDS
    told = re.findall(r"(KILOWATCH_[A-Z_]+)=(\S+)", text)
    settings_from({key: value.replace("%i", "1").replace("%H", "host") for key, value in told})
    assert "Restart=always" in text
    assert "User=kilowatch" in text
