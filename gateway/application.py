"""The Flask application that the gateway and the model server are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

from gateway import auth, errors

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from werkzeug.exceptions import HTTPException


class Application(Flask):
    """No redirects (the SDKs follow them with GET), no answers that no view gives, JSON for every error.

    A dialect shapes its own errors, but not those of who may not ask: so no dialect can forget them.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
        self.url_map.merge_slashes = False
        errors.install(self)

    def handle_user_exception(self, e: Exception) -> HTTPException | ResponseReturnValue:
        refused = auth.refusal(e)
        return super().handle_user_exception(e) if refused is None else refused
