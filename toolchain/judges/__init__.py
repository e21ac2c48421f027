"""Judges of Kubernetes manifests that are not ours: kubeconform (the API's own schema) and kube-score (good practice).

Here belong how they are built, the schemas they judge by, and how they are run. Not here: which manifests are judged
and which remarks are accepted (`tests/integration/manifests`). The product knows nothing of them.
"""
