"""Bodies of control requests."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Refuses fields it does not know, so that a typing error in a test is seen."""

    model_config = ConfigDict(extra="forbid")
