"""People's servers as pods of a cluster: the same settings, environment and limits as on one machine.

The rule: a pod holds one person's server and no right in the cluster, and its image holds no key of a lab.
"""

from __future__ import annotations

from typing import Any

from kubespawner import KubeSpawner
from traitlets import Callable, Unicode

from hub_config.cluster import Cluster
from hub_config.person import Person

#: Where the image has Jupyter's configurations, by role and language.
JUPYTER_CONFIG = "/usr/local/share/practicum/jupyter"
USER_ID, PORT = 1000, 8888
#: Folders that a server writes to outside its home, in a pod whose system is read-only.
SCRATCH = {"tmp": "/tmp", "run": "/run", "var-tmp": "/var/tmp", "shm": "/dev/shm"}  # noqa: S108


class PersonPod(KubeSpawner):  # type: ignore[misc]
    """Starts each server as a pod; a course's formgrader also mounts the course's folder."""

    course_languages = Callable(dict, help="Gives each course's language: runs are made while the Hub is up.").tag(
        config=True
    )
    courses_claim = Unicode(help="The volume claim of nbgrader's course folders.").tag(config=True)

    @property
    def person(self) -> Person:
        return Person.of(self.user, self.course_languages())

    def get_env(self) -> dict[str, str]:
        env = super().get_env()
        config = f"{JUPYTER_CONFIG}/{self.person.configuration}"
        return {**env, **self.person.environment(env), "HOME": self.person.home, "JUPYTER_CONFIG_PATH": config}

    async def get_pod_manifest(self) -> Any:
        """The pod, with this person's folders."""
        person = self.person
        self.working_dir = person.home
        self.volumes = {
            "home": {"name": "home", "persistentVolumeClaim": {"claimName": self.pvc_name}},
            **{name: {"name": name, "emptyDir": _in_memory(name)} for name in SCRATCH},
        }
        mounts = {
            "home": {"name": "home", "mountPath": person.home},
            **{name: {"name": name, "mountPath": path} for name, path in SCRATCH.items()},
        }
        if person.graded_course and person.course_root:
            self.volumes["courses"] = {"name": "courses", "persistentVolumeClaim": {"claimName": self.courses_claim}}
            mounts["courses"] = {
                "name": "courses", "mountPath": person.course_root, "subPath": person.graded_course,
            }  # fmt: skip
        self.volume_mounts = mounts
        return await super().get_pod_manifest()


def _in_memory(name: str) -> dict[str, str]:
    return {"sizeLimit": "1Gi", **({"medium": "Memory"} if name == "shm" else {})}


def configure(c: Any, cluster: Cluster, *, max_file_bytes: int) -> None:
    """Write what pods need into a Hub's configuration; what all spawners share is written elsewhere."""
    pod = c.PersonPod
    pod.image, pod.namespace, pod.port = cluster.image, cluster.namespace, PORT
    # How many processes a pod may have is a setting of the node (podPidsLimit), not of the pod.
    c.Spawner.cmd = ["prlimit", f"--fsize={max_file_bytes}", "--core=0", "python3", "-m", "hub_config.singleuser"]
    pod.storage_pvc_ensure, pod.delete_pvc = True, False
    pod.storage_capacity, pod.storage_access_modes = f"{cluster.home_gb}Gi", ["ReadWriteOnce"]
    if cluster.storage_class:
        pod.storage_class = cluster.storage_class
    pod.uid = pod.gid = pod.fs_gid = USER_ID
    pod.allow_privilege_escalation = pod.automount_service_account_token = False
    pod.container_security_context = {
        "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True, "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    pod.extra_labels = {"app.kubernetes.io/part-of": "practicum"}
    pod.courses_claim = cluster.courses_claim
