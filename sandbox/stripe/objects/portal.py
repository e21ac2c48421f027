"""The billing portal: its configuration and the sessions that open it."""

from __future__ import annotations

from sandbox.stripe.model.values import Json, new_id

REASONS = (
    "too_expensive", "missing_features", "switched_service", "unused", "customer_service", "too_complex", "low_quality", "other",
)  # fmt: skip


def features_hash() -> Json:
    """What the portal offers unless a configuration says otherwise: everything a customer of a subscription needs."""
    return {
        "customer_update": {"allowed_updates": ["email", "name"], "enabled": True},
        "invoice_history": {"enabled": True},
        "payment_method_update": {"enabled": True, "payment_method_configuration": None},
        "subscription_cancel": {
            "cancellation_reason": {"enabled": True, "feedback_options": None, "options": list(REASONS)},
            "enabled": True,
            "mode": "at_period_end",
            "proration_behavior": "none",
        },
        "subscription_pause": {"duration": {"interval_options": [], "type": "indefinite"}, "enabled": False},
        "subscription_update": {
            "billing_cycle_anchor": None,
            "default_allowed_updates": ["price"],
            "enabled": True,
            "products": None,
            "proration_behavior": "create_prorations",
            "schedule_at_period_end": {"conditions": []},
            "trial_update_behavior": "end_trial",
        },
    }


def configuration_object(*, created: int, is_default: bool, metadata: Json) -> Json:
    """A configuration with the default features."""
    return {
        "id": new_id("bpc"),
        "object": "billing_portal.configuration",
        "active": True,
        "application": None,
        "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None},
        "created": created,
        "default_return_url": None,
        "features": features_hash(),
        "is_default": is_default,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": metadata,
        "name": None,
        "updated": created,
    }


def portal_session_object(
    *,
    customer: str,
    configuration: str,
    created: int,
    return_url: str | None,
    flow: Json | None,
    address: str,
    locale: str | None,
) -> Json:
    """A session; its address is a bearer secret, as with Stripe."""
    secret = new_id("test", 40)
    return {
        "id": new_id("bps"),
        "object": "billing_portal.session",
        "after_expiration": None,
        "configuration": configuration,
        "created": created,
        "customer": customer,
        "customer_account": None,
        "flow": flow,
        "livemode": False,
        "locale": locale,
        "on_behalf_of": None,
        "return_url": return_url,
        "url": f"{address}/portal/{secret}",
        "_secret": secret,
    }


def flow_hash(*, kind: str, subscription: str | None, return_url: str | None) -> Json:
    """`session.flow` of a deep link."""
    redirect = {"return_url": return_url} if return_url else None
    after = {"hosted_confirmation": None, "redirect": redirect, "type": "redirect" if redirect else "portal_homepage"}
    flow: Json = {
        "after_completion": after,
        "customer_update": None,
        "subscription_cancel": None,
        "subscription_pause": None,
        "subscription_update": None,
        "subscription_update_confirm": None,
        "type": kind,
    }
    if kind == "subscription_cancel":
        flow[kind] = {"retention": None, "subscription": subscription}
    if kind == "subscription_update":
        flow[kind] = {"subscription": subscription}
    return flow
