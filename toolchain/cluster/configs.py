"""Configuration files of the components. Pure: text out of a layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import yaml

from toolchain.cluster.layout import CLUSTER_DOMAIN, Layout

PAUSE_IMAGE: Final = "clawstack.test/pause:1"
CNI_NETWORK: Final = "clawstack"


def write_all(layout: Layout, *, cni_binaries: Path) -> None:
    """Every file that a component reads."""
    (layout.configs / "containerd.toml").write_text(containerd(layout, cni_binaries))
    (layout.configs / "cni").mkdir()
    (layout.configs / "cni" / "10-clawstack.conflist").write_text(json.dumps(cni(layout), indent=2))
    (layout.configs / "kubelet.yaml").write_text(yaml.safe_dump(kubelet(layout)))
    (layout.configs / "proxy.yaml").write_text(yaml.safe_dump(proxy(layout)))
    (layout.configs / "Corefile").write_text(corefile(layout))
    (layout.configs / "volumes.json").write_text(json.dumps(volumes(layout)))


def containerd(layout: Layout, cni_binaries: Path, *, root: Path | None = None) -> str:
    """Containerd with everything of its own below the data folder, also the network namespaces of pods.

    `root`: where images and snapshots lie, if not there.
    """
    # restrict_oom_score_adj: without CAP_SYS_RESOURCE (many containers and small machines) no sandbox starts otherwise.
    return f"""version = 2
root = "{root or layout.containerd_root}"
state = "{layout.data}/containerd-state"
[grpc]
  address = "{layout.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  sandbox_image = "{PAUSE_IMAGE}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_binaries}"
    conf_dir = "{layout.configs}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def cni(layout: Layout) -> dict[str, Any]:
    """Each pod hangs on a cable of its own and everything is routed, so that Service addresses work between pods too.

    No way out to the internet: pods' addresses are not translated.
    """
    addresses = {
        "type": "host-local",
        "dataDir": f"{layout.data}/cni-addresses",
        "ranges": [[{"subnet": layout.network.pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugin = {"type": "ptp", "ipMasq": False, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": CNI_NETWORK, "plugins": [plugin]}


def kubelet(layout: Layout) -> dict[str, Any]:
    """The kubelet, which leaves this machine's packet filter alone and keeps to the data folder."""
    authority = str(layout.pki / "ca.crt")
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.network.node_ip,
        "port": layout.ports.kubelet,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": layout.ports.kubelet_health,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": authority},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": ["pods"],
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "makeIPTablesUtilChains": False,
        "clusterDNS": [layout.network.dns_ip],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": "/etc/resolv.conf",
        "podLogsDir": str(layout.pod_logs),
        "volumePluginDir": str(layout.data / "volume-plugins"),
        # A machine that others work on too: its disk may be nearly full without any fault of the cluster.
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "100Mi"},
        # Imported images cannot be pulled again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "shutdownGracePeriod": "0s",
        "nodeStatusUpdateFrequency": "4s",
        "syncFrequency": "10s",
        "maxPods": 200,
    }


def proxy(layout: Layout) -> dict[str, Any]:
    """kube-proxy through nftables: all that it makes is in tables of its own, which go with it."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.kubeconfig("proxy"))},
        "mode": "nftables",
        "clusterCIDR": layout.network.pods,
        "detectLocalMode": "ClusterCIDR",
        "healthzBindAddress": f"127.0.0.1:{layout.ports.proxy_health}",
        "metricsBindAddress": f"127.0.0.1:{layout.ports.proxy_metrics}",
        "nodePortAddresses": [f"{layout.network.node_ip}/32"],
        "nftables": {"minSyncPeriod": "100ms", "syncPeriod": "10s"},
        "oomScoreAdj": 0,
        # This machine's own settings of connection tracking stay as they are.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def corefile(layout: Layout) -> str:
    """Names of the cluster from the API server, all others from where this machine asks."""
    return f""".:{layout.ports.dns} {{
    bind {layout.network.node_ip}
    errors
    ready 127.0.0.1:{layout.ports.dns_ready}
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {layout.kubeconfig("coredns")}
        pods insecure
        ttl 5
        fallthrough in-addr.arpa ip6.arpa
    }}
    forward . /etc/resolv.conf
    cache 5
}}
"""


def volumes(layout: Layout) -> dict[str, Any]:
    """Where the provisioner makes the directories of volumes."""
    return {"nodePathMap": [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [str(layout.volumes)]}]}
