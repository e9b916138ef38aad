from gateway_fakes import client, services

__all__ = ["client", "services"]
