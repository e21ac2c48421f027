"""What the Kubernetes API records and refuses, and the kernel parameters that the kubelet insists on.

Source: K3s documentation, CIS hardening guide and advanced options; Kubernetes documentation, auditing and Pod Security
admission.
"""

from __future__ import annotations

from typing import Any, Final

Document = dict[str, Any]

AUDIT_POLICY: Final = "/etc/rancher/k3s/audit-policy.yaml"
ADMISSION: Final = "/etc/rancher/k3s/admission.yaml"
AUDIT_LOG: Final = "/var/lib/rancher/k3s/server/logs/audit.log"
TLS_CIPHERS: Final = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,"
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,"
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"
)
_PLUGIN_API: Final = "apiserver.config.k8s.io/v1"


def audit_policy() -> Document:
    """Who touched what. Contents of secrets, tokens and configuration are never recorded; watches and health are noise."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/metrics"]},
            {
                "level": "None",
                "users": ["system:kube-proxy", "system:apiserver", "system:kube-scheduler", "system:k3s-controller"],
                "verbs": ["get", "list", "watch"],
            },
            {"level": "None", "resources": [{"group": "", "resources": ["events"]}]},
            {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
            {
                "level": "Metadata",
                "resources": [
                    {"group": "", "resources": ["secrets", "configmaps", "serviceaccounts/token"]},
                    {"group": "authentication.k8s.io", "resources": ["tokenreviews"]},
                ],
            },
            {
                "level": "Request",
                "resources": [{"group": "", "resources": ["pods/exec", "pods/attach", "pods/portforward"]}],
            },
            {"level": "RequestResponse", "resources": [{"group": "rbac.authorization.k8s.io"}]},
            {"level": "None", "verbs": ["watch"]},
            {"level": "Metadata"},
        ],
    }


def admission(level: str) -> Document:
    """What namespaces without labels of their own enforce, and a limit on events.

    Only kube-system is exempt: K3s' own parts run there. Every other namespace that needs more says so by its labels.
    """
    modes = {"enforce": level, "audit": "restricted", "warn": "restricted"}
    return {
        "apiVersion": _PLUGIN_API,
        "kind": "AdmissionConfiguration",
        "plugins": [
            {
                "name": "PodSecurity",
                "configuration": {
                    "apiVersion": "pod-security.admission.config.k8s.io/v1",
                    "kind": "PodSecurityConfiguration",
                    "defaults": modes | {f"{mode}-version": "latest" for mode in modes},
                    "exemptions": {"usernames": [], "runtimeClasses": [], "namespaces": ["kube-system"]},
                },
            },
            {
                "name": "EventRateLimit",
                "configuration": {
                    "apiVersion": "eventratelimit.admission.k8s.io/v1alpha1",
                    "kind": "Configuration",
                    "limits": [{"type": "Server", "qps": 5000, "burst": 20000}],
                },
            },
        ],
    }


def kernel_parameters() -> str:
    """`/etc/sysctl.d`: what `protect-kernel-defaults` demands, and room for many small pods."""
    values = {
        "vm.panic_on_oom": 0,
        "vm.overcommit_memory": 1,
        "kernel.panic": 10,
        "kernel.panic_on_oops": 1,
        "kernel.keys.root_maxkeys": 1_000_000,
        "kernel.keys.root_maxbytes": 25_000_000,
        "kernel.kptr_restrict": 2,
        "kernel.dmesg_restrict": 1,
        "fs.inotify.max_user_instances": 8192,
        "fs.inotify.max_user_watches": 524_288,
        "net.ipv4.ip_forward": 1,
        "net.ipv4.conf.all.accept_redirects": 0,
        "net.ipv4.conf.all.send_redirects": 0,
    }
    return "".join(f"{name} = {value}\n" for name, value in values.items())


def api_server_arguments(*, audit: Document | None) -> list[str]:
    """Arguments of the Kubernetes API; `audit` gives maxage, maxbackup and maxsize, None records nothing."""
    arguments = [
        f"admission-control-config-file={ADMISSION}",
        "enable-admission-plugins=NodeRestriction,EventRateLimit",
        "anonymous-auth=false",
        "profiling=false",
        "service-account-extend-token-expiration=false",
        "tls-min-version=VersionTLS12",
        f"tls-cipher-suites={TLS_CIPHERS}",
    ]
    if audit is not None:
        arguments += [f"audit-policy-file={AUDIT_POLICY}", f"audit-log-path={AUDIT_LOG}"]
        arguments += [f"audit-log-{name}={value}" for name, value in audit.items()]
    return arguments


def kubelet_arguments(*, external_cloud: bool) -> list[str]:
    """Arguments of every kubelet. Room is kept for the system, so that pods are evicted before the node dies."""
    return [
        *(["cloud-provider=external"] if external_cloud else []),
        "anonymous-auth=false",
        "authorization-mode=Webhook",
        "read-only-port=0",
        "make-iptables-util-chains=true",
        "streaming-connection-idle-timeout=5m",
        "tls-min-version=VersionTLS12",
        f"tls-cipher-suites={TLS_CIPHERS}",
        "seccomp-default=true",
        "pod-max-pids=4096",
        "container-log-max-size=10Mi",
        "container-log-max-files=3",
        "system-reserved=cpu=100m,memory=256Mi,ephemeral-storage=1Gi",
        "kube-reserved=cpu=100m,memory=512Mi,ephemeral-storage=1Gi",
        "eviction-hard=memory.available<200Mi,nodefs.available<10%,imagefs.available<10%,nodefs.inodesFree<5%",
    ]
