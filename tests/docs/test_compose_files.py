"""The services that are shipped: what each may do, and when it counts as well."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from exai_trio.config import Config

ROOT = Path(__file__).parents[2]
FILES = ("compose.yaml", "docs/deploy/compose.yaml")
SERVICES = [
    pytest.param(service, id=f"{file}-{name}")
    for file in FILES
    for name, service in yaml.safe_load((ROOT / file).read_text())["services"].items()
]


TEAM = yaml.safe_load((ROOT / "docs/deploy/compose.yaml").read_text())


@pytest.fixture
def single():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_bounded(service):
    """In memory, processor, processes and log, and it gains no privileges."""
    assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
    assert {"max-size", "max-file"} <= service["logging"]["options"].keys()
    assert ["no-new-privileges:true"] == service["security_opt"]


@pytest.mark.parametrize("service", [one for one in SERVICES if "database" not in one.id])
def test_nothing_but_a_database_writes_to_its_root_or_has_capabilities(service):
    """The database's image makes its own user and directory."""
    assert service["read_only"] is True
    assert ["ALL"] == service["cap_drop"]


@pytest.mark.parametrize("service", [one for one in SERVICES if "-daemon" in one.id])
def test_a_daemon_starts_again_and_may_end_its_calls(service):
    """Its health is asked for, its ports are this machine's, and a stop waits for longer than it drains."""
    assert "/health/ready" in service["healthcheck"]["test"][-1]
    assert "unless-stopped" == service["restart"]
    assert int(service["stop_grace_period"].removesuffix("s")) > Config().drain_s
    assert service["init"] is True
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_projects_are_read_where_they_are_outside(single):
    """At the same path, and nothing else may be read."""
    daemon = single["daemon"]
    place = "${EXAI_PROJECTS:-projects}:${EXAI_PROJECTS:-/projects}:ro"

    assert place in daemon["volumes"]
    assert "${EXAI_PROJECTS:-/projects}" == daemon["environment"]["EXAI_ALLOWED_ROOTS"]
    assert ["8079", "8080", "8081", "8082"] == [port[-4:] for port in daemon["ports"]]
    assert [{"path": ".env", "required": False}] == daemon["env_file"]


@pytest.mark.parametrize("name", ["daemon-a", "daemon-b"])
def test_a_team_believes_its_balancer_who_a_client_is(name):
    """Whoever comes from its network is the balancer, which says for whom; no daemon has a port outside."""
    (network,) = TEAM["networks"]["default"]["ipam"]["config"]
    balancer = (ROOT / "docs/deploy/haproxy.cfg").read_text()
    fronts = [part for part in balancer.split("\n\n") if part.startswith("frontend")]

    assert network["subnet"] == TEAM["services"][name]["environment"]["EXAI_TRUSTED_PROXIES"]
    assert "ports" not in TEAM["services"][name]
    assert all("set-header X-Forwarded-For %[src]" in part for part in fronts)


def test_profiles_are_started_only_if_they_are_named(single):
    """A shim for editors that start a container, after a healthy daemon; and Redis, as a user of its own."""
    assert [["stdio"], ["redis"]] == [single[name]["profiles"] for name in ("shim", "redis")]
    assert {"daemon": {"condition": "service_healthy"}} == single["shim"]["depends_on"]
    assert "redis" == single["redis"]["user"]


@pytest.mark.real
@pytest.mark.skipif(not shutil.which("podman"), reason="there is no podman")
@pytest.mark.parametrize("file", FILES)
def test_podman_compose_reads_it(file):
    """All profiles, with nothing but what must be set."""
    program = Path(sys.executable).with_name("podman-compose")
    must = {"EXAI_WS_TOKEN": "a-token-of-the-team-0", "POSTGRES_PASSWORD": "p"}
    command = (program, "-f", file, "--profile", "stdio", "--profile", "redis", "config")
    done = subprocess.run(command, cwd=ROOT, env=os.environ | must, capture_output=True, check=True)

    assert {"exai-trio"} <= {
        one.get("image") for one in yaml.safe_load(done.stdout)["services"].values()
    }
