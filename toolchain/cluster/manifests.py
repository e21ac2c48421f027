"""What a fresh cluster is given: its DNS Service, its storage class, and what the provisioner of volumes needs. Pure."""

from __future__ import annotations

from typing import Any, Final

import yaml

from toolchain.cluster.layout import STORAGE_CLASS, Layout

PROVISIONER: Final = "rancher.io/local-path"
VOLUME_NAMESPACE: Final = "local-path-storage"

Manifest = dict[str, Any]


def bootstrap(layout: Layout, *, helper_image: str) -> tuple[Manifest, ...]:
    """In the order in which they can be applied."""
    return (*_dns(layout), *_storage(helper_image))


def _dns(layout: Layout) -> tuple[Manifest, ...]:
    # CoreDNS is a process beside the cluster; pods find it where they look in every cluster.
    ports = [{"name": name, "protocol": name.split("-")[-1].upper(), "port": 53} for name in ("dns-udp", "dns-tcp")]
    metadata = {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"clusterIP": layout.network.dns_ip, "ports": ports},
    }
    labels = {"kubernetes.io/service-name": "kube-dns", "endpointslice.kubernetes.io/managed-by": "clawstack-toolchain"}
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": labels},
        "addressType": "IPv4",
        "ports": [{**port, "port": layout.ports.dns} for port in ports],
        "endpoints": [{"addresses": [layout.network.node_ip], "conditions": {"ready": True}}],
    }
    return service, endpoints


def _storage(helper_image: str) -> tuple[Manifest, ...]:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": VOLUME_NAMESPACE}}
    scripts = {
        "setup": '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
        "teardown": '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
        "helperPod.yaml": yaml.safe_dump(_helper_pod(helper_image)),
    }
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "local-path-config", "namespace": VOLUME_NAMESPACE},
        "data": scripts,
    }
    storage_class = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
    }
    return namespace, config, storage_class


def _helper_pod(image: str) -> Manifest:
    container = {"name": "helper-pod", "image": image, "imagePullPolicy": "Never"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "helper-pod"},
        "spec": {"priorityClassName": "system-node-critical", "enableServiceLinks": False, "containers": [container]},
    }
