"""The files for servers: image, compose file and manifests. Docker and Kubernetes do not run in tests, so they are read
by the tools made for reading them, and compared with the settings and commands that there are.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from ruamel.yaml import YAML
from typer.main import get_command

from settings import Settings
from starter.cli import app
from tests.support.system import ROOT

DEPLOY = ROOT / "deploy"
BASE = DEPLOY / "kubernetes" / "base"
MANIFESTS = sorted(path for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml")
TOOLS = Path(sys.executable).parent


def agrees(tool: str, *arguments: object) -> None:
    """Run a linter of the virtual environment; what it says against it fails the test."""
    done = subprocess.run([TOOLS / tool, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def documents(path: Path) -> list[dict[str, Any]]:
    """Every document of a YAML file."""
    return [document for document in YAML(typ="safe").load_all(path.read_text()) if document]


def test_the_image() -> None:
    """hadolint finds nothing against the Dockerfile; it runs as nobody in particular and from what is locked."""
    agrees("hadolint", DEPLOY / "Dockerfile")
    text = (DEPLOY / "Dockerfile").read_text()
    assert "--require-hashes" in text
    assert re.search(r"^USER 10001", text, re.MULTILINE)


def test_the_compose_file() -> None:
    """It is what the Compose specification asks for."""
    agrees("check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_the_manifests(manifest: Path) -> None:
    """Each is what Kubernetes asks for, without a field it does not know."""
    agrees("kubernetes-validate", "--strict", manifest)


def test_yaml_is_tidy() -> None:
    """yamllint finds nothing in any YAML file of deploy/."""
    agrees("yamllint", "--strict", "--config-file", DEPLOY / ".yamllint", DEPLOY)


def test_the_kustomization_names_every_manifest() -> None:
    """None is forgotten, and what it generates from is there or has an example."""
    (found,) = documents(BASE / "kustomization.yaml")
    assert sorted(found["resources"]) == [path.name for path in MANIFESTS]
    for generator in (*found["configMapGenerator"], *found["secretGenerator"]):
        for name in generator["envs"]:
            assert (BASE / name).exists() or (BASE / f"{name}.example").exists()


@pytest.mark.parametrize(
    "file",
    [DEPLOY / "compose.env.example", BASE / "config.env", BASE / "secret.env.example"],
    ids=lambda path: path.name,
)
def test_every_variable_is_a_setting(file: Path) -> None:
    """What a file sets, or shows how to set, is a setting by that name."""
    named = {*dotenv_values(file), *re.findall(r"^#(OMBUD_\w+)=", file.read_text(), re.MULTILINE)}
    ours = {name.removeprefix("OMBUD_").lower() for name in named if name.startswith("OMBUD_")}
    assert ours
    assert ours - set(Settings.model_fields) == set()


def containers() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every container of the manifests, with its pod."""
    found = []
    for path in MANIFESTS:
        for document in documents(path):
            spec = document.get("spec", {})
            spec = spec.get("jobTemplate", {}).get("spec", spec)
            if pod := spec.get("template", {}).get("spec"):
                found += [(path.stem, c, pod) for c in (*pod.get("initContainers", ()), *pod["containers"])]
    return found


def test_every_container_runs_a_command_that_there_is() -> None:
    """In the compose file and the manifests alike."""
    (compose,) = documents(DEPLOY / "compose.yaml")
    asked = [service["command"] for service in compose["services"].values() if service.get("image") == "ombud"]
    asked += [container["command"] for _, container, _ in containers()]
    assert len(asked) >= 7
    commands = getattr(get_command(app), "commands", {})
    for program, *rest in asked:
        assert (program, rest) == ("python", ["-m", "worker"]) or (program == "ombud" and rest[0] in commands)


def test_a_release_is_named_once_and_its_tables_come_first() -> None:
    """The image and the release of its workers are the same; they get the work after the tables are theirs."""
    (kustomization,) = documents(BASE / "kustomization.yaml")
    release = dotenv_values(BASE / "config.env")["OMBUD_BUILD_ID"]
    assert {image["newTag"] for image in kustomization["images"]} == {release}
    pod = next(pod for name, _, pod in containers() if name == "migrate")
    assert [container["command"][:2] for container in pod["initContainers"]] == [["ombud", "migrate"]]
    assert [container["command"][:3] for container in pod["containers"]] == [["ombud", "release", "current"]]


def test_no_container_may_more_than_it_needs() -> None:
    """Nobody is root, no file system is written but for /tmp, no capability is kept, memory is bounded."""
    for name, container, pod in containers():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["automountServiceAccountToken"] is False, name
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"], name
        assert not security["allowPrivilegeEscalation"], name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert container["resources"]["limits"]["memory"], name


def test_whoever_is_stopped_has_time_to_finish() -> None:
    """A worker gives what it has begun twenty seconds, and is given more."""
    pods = {name: pod for name, _, pod in containers()}
    assert pods["worker"]["terminationGracePeriodSeconds"] > 20
    (compose,) = documents(DEPLOY / "compose.yaml")
    assert compose["services"]["worker"]["stop_grace_period"] == "30s"
