"""The thin way through: create, provision, change, suspend, resume, destroy, with the real engine and database."""

from __future__ import annotations

from sqlalchemy import select

from clawstack.vocabulary import Desired
from services.tables.notifications import OutboxMessage
from services.tables.tenants import Cell
from tests.integration.provisioner.rig import Rig, engine_processes


async def test_a_tenant_is_built_changed_and_destroyed(rig: Rig) -> None:
    tenant = await rig.create()
    reconciler = rig.reconciler()

    await reconciler.reconcile(tenant.id)
    built = await rig.tenant(tenant)
    assert (built.state, built.observed_state) == ("healthy", "running")
    assert built.observed["endpoint"] == f"probe://{tenant.slug}"
    assert "token" not in built.observed, "secret outputs stay in Pulumi's state"
    assert built.healthy_at is not None
    assert rig.probe.cell(tenant.slug) == {"desired": "running", "nonce": ""}

    assert await rig.want(tenant, state=Desired.SUSPENDED, reason="unpaid")
    await reconciler.reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "suspended"
    assert rig.probe.cell(tenant.slug) == {"desired": "suspended", "nonce": ""}

    assert await rig.want(tenant, state=Desired.RUNNING)
    await reconciler.reconcile(tenant.id)
    assert await rig.want(tenant, restart=True)
    await reconciler.reconcile(tenant.id)
    assert await rig.want(tenant, plan="pro")
    await reconciler.reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "healthy"

    assert await rig.want(tenant, state=Desired.ABSENT)
    await reconciler.reconcile(tenant.id)
    gone = await rig.tenant(tenant)
    assert (gone.state, gone.observed_state) == ("deleted", "absent")
    assert gone.deleted_at is not None
    assert rig.probe.cell(tenant.slug) is None

    operations = await rig.operations(tenant)
    kinds = ["provision", "suspend", "resume", "restart", "update", "destroy"]
    assert [(row.kind, row.status) for row in operations] == [(kind, "succeeded") for kind in kinds]
    assert {name for name, _ in rig.seen.calls} == {
        "revoke_proxy_tokens",
        "revoke_channel_tokens",
        "unbind_chats",
        "register_backups",
    }
    async with rig.platform.database.transaction() as session:
        assert (await session.scalars(select(Cell))).all() == []
        assert await rig.platform.vault.get(session, tenant.id, "passphrase") is None
        assert await rig.platform.vault.get(session, tenant.id, "backup_key") is not None
        messages = (await session.scalars(select(OutboxMessage).order_by(OutboxMessage.created_at))).all()
        assert [message.kind for message in messages] == ["healthy", "deleted"]
    settings = rig.platform.settings
    assert not (settings.data_dir / "state" / tenant.slug).exists()
    assert engine_processes(settings.data_dir) == []
