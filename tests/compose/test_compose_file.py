"""compose.yaml: of the specification's form, and by this project's rules for services."""

import json
import re
import stat
import subprocess

import jsonschema_rs
import pytest
import yaml
from compose_file import COMPOSE, ROOT, raw, read_env, services, texts, variables
from opensearch_server.releases import DEFAULT, RELEASES

ONE_SHOT = {"certificates", "setup"}
WRITABLE_ROOT = {"dashboards", "opensearch"}
"""Their start scripts write beside what is installed."""


@pytest.fixture
def env(tmp_path):
    return made_env(tmp_path / ".env")


def made_env(file):
    subprocess.run(["sh", COMPOSE / "env.sh", file], check=True, capture_output=True)
    return read_env(file)


def test_it_is_of_the_form_that_the_specification_says(env):
    schema = json.loads((ROOT / "tests" / "compose" / "compose-spec.json").read_text())
    judge = jsonschema_rs.validator_for(schema)
    assert [str(error) for error in judge.iter_errors(raw())] == []
    assert [str(error) for error in judge.iter_errors({"services": services(env)})] == []
    assert not judge.is_valid({"services": {"a": {"imag": "b"}}})


def test_services_and_volumes_that_are_named_are_there(env):
    document, all_services = raw(), services(env)
    used = set()
    for name, service in all_services.items():
        waited_for = service.get("depends_on", {})
        assert waited_for.keys() <= all_services.keys(), name
        for other, how in waited_for.items():
            expected = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert how["condition"] == expected, (name, other)
        used |= {volume.partition(":")[0] for volume in service.get("volumes", []) if not volume.startswith(".")}
        assert set(service.get("networks", [])) <= document["networks"].keys(), name
        for mounted in (volume.partition(":")[0] for volume in service.get("volumes", []) if volume.startswith(".")):
            assert (COMPOSE / mounted).is_file(), mounted
    assert used == document["volumes"].keys()


def test_somebody_waits_for_each_one_shot(env):
    """`docker compose up --wait` takes a service that ended as failed unless another waits for its end."""
    awaited = {other for service in services(env).values() for other in service.get("depends_on", {})}
    assert awaited >= ONE_SHOT


def test_every_service_is_watched_and_held_in_bounds(env):
    for name, service in services(env).items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert name in WRITABLE_ROOT or service["read_only"] is True, name
        if name in ONE_SHOT:
            assert service["restart"] == "no", name
            continue
        limits = service["deploy"]["resources"]["limits"]
        assert limits.keys() >= {"cpus", "memory"}, name
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        assert service["restart"] == "unless-stopped", name


def test_ports_are_published_on_loopback_unless_env_says_otherwise(env):
    ports = {name: service.get("ports", []) for name, service in services(env).items()}
    published = [port for each in ports.values() for port in each]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    open_to_all = services(env | {"BIND_ADDRESS": "0.0.0.0"})  # noqa: S104 - what is asked for
    assert open_to_all["gateway"]["ports"] == ["0.0.0.0:8000:8000"]


def test_images_are_of_versions_and_opensearch_is_one_that_is_tested(env):
    for name, service in services(env).items():
        repository, _, tag = service["image"].rpartition(":")
        assert repository, name
        assert tag != "latest", name
    assert env["OPENSEARCH_VERSION"] == DEFAULT
    line = next(line for line in (COMPOSE / ".env.example").read_text().splitlines() if "versions" in line)
    assert set(re.findall(r"\d+\.\d+\.\d+", line)) == RELEASES.keys()


def test_no_secret_stands_in_the_repository():
    example = read_env(COMPOSE / ".env.example")
    asked = variables()
    assert {name for name, variable in asked.items() if variable.required} == {
        name for name, value in example.items() if not value
    }
    assert {name for name, value in example.items() if value} <= asked.keys()
    for name, value in example.items():
        assert value in ("", asked[name].default), name
    # A secret comes by a variable, wherever its name says that it is one.
    for service in raw()["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|_KEY", name) and "__USER" not in name:
                assert value.startswith("${"), name


def test_env_is_made_once_for_its_owners_eyes(tmp_path):
    file = tmp_path / ".env"
    first = made_env(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made_env(file) == first
    secrets = [first[name] for name, value in read_env(COMPOSE / ".env.example").items() if not value]
    assert len({*secrets}) == len(secrets)
    assert all(re.fullmatch("[0-9a-f]{48}", secret) for secret in secrets)
    assert [path.name for path in tmp_path.iterdir()] == [".env"]
    assert made_env(tmp_path / "other") != first


def test_env_is_kept_out_of_the_repository():
    done = subprocess.run(["git", "check-ignore", "-q", "compose/.env"], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_the_clusters_users_are_those_that_services_come_as(env):
    folder = COMPOSE / "opensearch"
    users, roles, mapping = (
        yaml.safe_load((folder / f"{name}.yml").read_text()) for name in ("internal_users", "roles", "roles_mapping")
    )
    given = services(env)["opensearch"]["environment"]
    for name, user in users.items():
        if name != "_meta":
            variable = re.fullmatch(r"\$\{envbc\.(\w+)\}", user["hash"])[1]
            assert given[variable], name
    assert services(env)["gateway"]["environment"]["HAVENGATE_ENGINE__USER"] in mapping["havengate"]["users"]
    assert services(env)["dashboards"]["environment"]["OPENSEARCH_USERNAME"] in mapping["kibana_server"]["users"]
    assert set(users["admin"]["backend_roles"]) == set(mapping["all_access"]["backend_roles"])
    assert "havengate" in roles


def test_cookies_of_dashboards_are_sealed_by_a_secret_of_this_installation(env):
    option = f"--opensearch_security.cookie.password={env['DASHBOARDS_COOKIE_PASSWORD']}"
    assert services(env)["dashboards"]["command"] == ["opensearch-dashboards", option]
    assert len(env["DASHBOARDS_COOKIE_PASSWORD"]) >= 32


def test_a_larger_heap_can_have_more_memory_around_it(env):
    node = services(env | {"OPENSEARCH_HEAP": "4g", "OPENSEARCH_MEMORY": "10g"})["opensearch"]
    assert node["environment"]["OPENSEARCH_JAVA_OPTS"] == "-Xms4g -Xmx4g"
    assert node["deploy"]["resources"]["limits"]["memory"] == "10g"


def test_no_text_asks_a_shell_of_this_machine():
    assert [text for text in texts(raw()) if "`" in text or "$(" in text] == []
