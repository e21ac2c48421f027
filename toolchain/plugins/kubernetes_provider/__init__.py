"""Offline `kubernetes` provider: the kinds that this project uses, by server-side apply, against a real API server.

`kinds` says where each kind is served and what of it cannot be changed; `kubeconfig` and `api` are the way to the
server; `changes` compares objects; `provider` answers the engine alike for all kinds.

It waits for nothing to become ready, with or without the annotation `pulumi.com/skipAwait`: that is judged by whoever
can say why a pod is not ready. It waits for what it deletes to be gone.
"""
