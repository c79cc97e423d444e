"""What stands between a server and its services, and what the server says of it."""

from urllib.parse import urlsplit

import requests

from forwarder import Forwarder


def readiness(server):
    return requests.get(f"{server.admin_url}/readyz", timeout=10)


def failing(server):
    return {check["name"]: check["problem"] for check in readiness(server).json()["checks"]
            if not check["ok"]}


def mode_of(server):
    return server.admin("GET", "/admin/mode").json()["mode"]


def lanes_of(server, sale):
    """The lanes in the server's audit; none while it cannot audit."""
    return server.admin("GET", f"/admin/sales/{sale}/audit").json().get("lanes", [])


def behind_a_door(server, setting):
    """Puts a closed door between the server and one of its services."""
    variable = f"SLUICE_{setting.upper()}"
    value = server.environment[variable]
    place = urlsplit(value if "://" in value else f"//{value}")
    door = Forwarder(place.hostname, place.port)
    server.environment[variable] = value.replace(f":{place.port}", f":{door.port}", 1)
    return door
