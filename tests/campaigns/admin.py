"""The operator's endpoints that campaigns use, in one place."""

import time

import requests


class Missing(RuntimeError):
    """This server does not have that endpoint."""


class Operator:
    """Talks to the admin listener of one node."""

    def __init__(self, server):
        self.server = server

    def _ask(self, method, path, **kwargs):
        answer = self.server.admin(method, path, **kwargs)
        if answer.status_code == 404 and answer.json().get("code") == "not_found":
            raise Missing(path)
        return answer

    def mode(self):
        """normal, bypass or database; None while the node does not answer."""
        try:
            answer = self._ask("GET", "/admin/mode")
        except requests.RequestException:
            return None
        return answer.json()["mode"] if answer.status_code == 200 else None

    def hold(self, mode):
        """auto, normal, bypass or database."""
        answer = self._ask("POST", "/admin/mode", json={"mode": mode})
        assert answer.status_code == 200, answer.text

    def audit(self, sale):
        answer = self._ask("GET", f"/admin/sales/{sale}/audit")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rebuild(self, sale, force=False):
        answer = self._ask("POST", f"/admin/sales/{sale}/rebuild", json={"force": force})
        assert answer.status_code == 202, answer.text
        return answer.json()


def has_modes(server):
    try:
        Operator(server).mode()
    except Missing:
        return False
    return True


def wait_for_mode(operators, mode, timeout_s):
    """Seconds until every node is in that mode; None when some are not within the time."""
    began = time.monotonic()
    while time.monotonic() < began + timeout_s:
        if all(operator.mode() == mode for operator in operators):
            return time.monotonic() - began
        time.sleep(0.02)
    return None
