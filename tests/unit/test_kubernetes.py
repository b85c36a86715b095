"""The pod that a cluster is asked for: from the product's settings, by the real KubeSpawner; no cluster is needed for that."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from jupyterhub.objects import Hub
from kubernetes_asyncio.client import ApiClient
from traitlets.config import Config

from hub_config import spawners
from hub_config.health.machine import look
from hub_config.kubernetes import PersonPod
from hub_config.settings import Settings

IMAGE = "registry.example/practicum-server@sha256:" + "0" * 64
CLUSTER = {
    "image": IMAGE, "address": "practicum.example", "namespace": "lab", "home_gb": 5, "storage_class": "fast",
    "courses_claim": "courses",
}  # fmt: skip
SETTINGS = {
    "spawner": "kubernetes", "kubernetes": CLUSTER, "port": 9000, "server_memory_mb": 1500, "server_cpus": 1.5, "server_file_mb": 200,
}  # fmt: skip


def pod_of(login: str, groups: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> PersonPod:
    """Somebody's spawner, configured as the Hub's configuration does it."""
    monkeypatch.setattr(spawners, "course_languages", lambda settings: {"course-a": "en"})
    # What would look for a cluster.
    monkeypatch.setattr("kubespawner.spawner.load_config", lambda **_: None)
    monkeypatch.setattr("kubespawner.spawner.shared_client", lambda *_: None)
    c = Config()
    spawners.configure_spawner(c, Settings.model_validate({"data": tmp_path, **SETTINGS, **changed}))
    assert c.JupyterHub.spawner_class is PersonPod
    assert c.JupyterHub.hub_connect_url == "http://practicum.example:9081"
    user = SimpleNamespace(
        name=login,
        id=1,
        escaped_name=login,
        url=f"/user/{login}/",
        settings={},
        groups=[SimpleNamespace(name=g) for g in groups],
    )
    hub = Hub(connect_url="http://practicum.example:9081", base_url="/hub/")
    return PersonPod(
        config=c,
        user=user,
        hub=hub,
        api_token=f"token-of-{login}",
        _mock=True,
        orm_spawner=SimpleNamespace(name="", server=None),
    )


async def sent(made: Any) -> dict[str, Any]:
    """What goes to the cluster."""
    async with ApiClient() as client:
        found: dict[str, Any] = client.sanitize_for_serialization(made)
        return found


async def manifest(pod: PersonPod) -> dict[str, Any]:
    return await sent(await pod.get_pod_manifest())


@pytest.fixture
def of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda login, *groups, **changed: pod_of(login, list(groups), tmp_path, monkeypatch, **changed)


def container(found: dict[str, Any]) -> dict[str, Any]:
    [only] = found["spec"]["containers"]
    return dict(only)


def environment(found: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container(found)["env"]}


async def test_a_learners_pod(of: Any) -> None:
    pod = of("mina", "nbgrader-course-a")
    found = await manifest(pod)
    one, spec = container(found), found["spec"]
    assert pod.namespace == "lab"
    assert one["image"] == IMAGE
    assert one["args"] == ["prlimit", "--fsize=200000000", "--core=0", "python3", "-m", "hub_config.singleuser"]
    assert (one["resources"]["limits"]["memory"], one["resources"]["limits"]["cpu"]) == (1_500_000_000, 1.5)
    env = environment(found)
    assert env["JUPYTERHUB_API_URL"] == "http://practicum.example:9081/hub/api"
    assert env["PRACTICUM_RECORDS_URL"] == "http://practicum.example:9010/services/portal/api/v1"
    assert env["OPENAI_BASE_URL"] == "http://practicum.example:9020/course-a/-/v1"
    assert env["OPENAI_API_KEY"] == env["JUPYTERHUB_API_TOKEN"] == "token-of-mina"
    assert env["JUPYTER_CONFIG_PATH"].endswith("/learner-en")
    assert (env["HOME"], env["PRACTICUM_LANG"]) == ("/home/mina", "en")
    assert one["workingDir"] == "/home/mina"
    assert not {"PRACTICUM_COURSE", "KUBERNETES_SERVICE_HOST"} & env.keys()
    assert "127.0.0.1" not in str(env)
    mounts = {mount["mountPath"]: mount["name"] for mount in one["volumeMounts"]}
    assert mounts == {"/home/mina": "home", "/tmp": "tmp", "/run": "run", "/var/tmp": "var-tmp", "/dev/shm": "shm"}
    claims = {
        v["name"]: v["persistentVolumeClaim"]["claimName"] for v in spec["volumes"] if "persistentVolumeClaim" in v
    }
    assert claims == {"home": pod.pvc_name}


async def test_a_pod_has_no_right(of: Any) -> None:
    spec = (await manifest(of("mina", "nbgrader-course-a")))["spec"]
    [one] = spec["containers"]
    context = one["securityContext"]
    assert context["runAsUser"] == 1000
    assert context["runAsNonRoot"] is context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not context.get("privileged")
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["fsGroup"] == 1000
    assert not {"hostNetwork", "hostPID", "hostIPC"} & {key for key, value in spec.items() if value}
    assert not any("hostPath" in volume for volume in spec["volumes"])
    assert not one.get("envFrom")


async def test_two_people_share_nothing(of: Any) -> None:
    pods = [
        of(login, "nbgrader-course-a")
        for login in ("mina", "mi.na", "Mina@a", "formgrader~course-a", "formgrader~course-b")
    ]
    found = [await manifest(pod) for pod in pods]
    assert len({one["metadata"]["name"] for one in found}) == len({pod.pvc_name for pod in pods}) == len(pods)


async def test_a_formgraders_pod_shows_its_course_alone(of: Any) -> None:
    found = await manifest(of("formgrader~course-a"))
    [course] = [mount for mount in container(found)["volumeMounts"] if mount["name"] == "courses"]
    root = "/home/formgrader~course-a/courses/course-a"
    assert (course["mountPath"], course["subPath"]) == (root, "course-a")
    env = environment(found)
    assert (env["PRACTICUM_COURSE"], env["PRACTICUM_COURSE_ROOT"]) == ("course-a", root)
    assert env["JUPYTER_CONFIG_PATH"].endswith("/instructor-en")
    assert {"name": "courses", "persistentVolumeClaim": {"claimName": "courses"}} in found["spec"]["volumes"]


async def test_a_home_is_a_volume_that_stays(of: Any) -> None:
    pod = of("mina", "nbgrader-course-a")
    claim = await sent(pod.get_pvc_manifest())
    assert claim["spec"]["resources"]["requests"] == {"storage": "5Gi"}
    assert claim["spec"]["storageClassName"] == "fast"
    assert not pod.delete_pvc
    assert pod.storage_pvc_ensure


def test_one_setting_without_the_other_is_refused(tmp_path: Path) -> None:
    for wrong in ({"spawner": "kubernetes"}, {"spawner": "quick", "kubernetes": CLUSTER}):
        with pytest.raises(ValueError, match="say image and address"):
            Settings.model_validate({"data": tmp_path, **wrong})


def test_services_listen_where_pods_reach_them_and_on_loopback_else(tmp_path: Path) -> None:
    assert Settings.model_validate({"data": tmp_path, **SETTINGS}).inner_host == "0.0.0.0"
    assert Settings(data=tmp_path).inner_host == "127.0.0.1"


def test_the_documented_settings_and_network_policy_can_be_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "kubernetes.md").read_text("utf-8")
    blocks = [part.partition("```")[0] for part in text.split("```yaml\n")[1:]]
    settings = Settings.model_validate({"data": tmp_path, **yaml.safe_load(blocks[0])})
    assert settings.kubernetes
    for policy in yaml.safe_load_all(blocks[1]):
        assert policy["kind"] == "NetworkPolicy"
        assert policy["metadata"]["namespace"] == settings.kubernetes.namespace
        assert policy["spec"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/part-of": "practicum"}
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule.get("ports", ())}
    assert {settings.hub_port, settings.portal_port, settings.gateway_port} <= ports


def test_the_doctor_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"data": tmp_path, **SETTINGS})
    config = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(config))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    def found() -> tuple[str, str]:
        [finding] = [finding for finding in look(settings) if finding.part == "cluster"]
        return finding.state, (finding.todo or finding.said).en

    assert found() == ("bad", "start it in a cluster, or name a kubeconfig in KUBECONFIG")
    config.touch()
    assert found() == ("good", f"servers are pods: lab, {IMAGE}")
    monkeypatch.setattr("hub_config.health.machine.find_spec", lambda name: None)
    assert found() == ("bad", "install it: `pip install 'practicum[kubernetes]'`")
    assert not [finding for finding in look(Settings(data=tmp_path)) if finding.part == "cluster"]
