"""What a JSON document at our own border looks like; its fields' docstrings are their descriptions in OpenAPI."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """The base of all that `/v1` takes and gives."""

    model_config = ConfigDict(use_attribute_docstrings=True)
