"""docs/openapi.yaml and docs/protocol.md say what the server does, and it does what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml

import figures

ROOT = Path(__file__).resolve().parents[2]
OPENAPI = ROOT / "docs" / "openapi.yaml"

# Every check of schemathesis holds. One is widened: that a sale ends after it starts and has no
# more lanes than units is beyond what a schema can say, so 422 is right for some valid drafts.
SETTINGS = """
[parameters]
"path.sale" = {sale}

[[operations]]
include-operation-id = "createSale"
checks.positive_data_acceptance.expected-statuses = [201, 422]
"""


def problem_table():
    """Rows of src/base/problem.cpp: code, status, retryable, meaning."""
    source = (ROOT / "src/base/problem.cpp").read_text()
    rows = re.findall(r'\{(\w+),\s*"(\w+)",\s*(\d+),\s*(true|false),\s*"([^"]*)"\}', source)
    assert len(rows) == len(re.findall(r"^ +\{", source, re.MULTILINE)) > 30
    assert all(enumerator == name for enumerator, name, *_ in rows)
    return [(name, int(status), "yes" if again == "true" else "no", text)
            for _, name, status, again, text in rows]


def openapi():
    return yaml.safe_load(OPENAPI.read_text())


def test_openapi_lists_every_code():
    listed = openapi()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert listed == [row[0] for row in problem_table()]


def test_openapi_says_where_every_code_comes_from():
    """Each code is named by the description of a response of its status, or by the introduction."""
    document = openapi()
    shared = document["components"]["responses"]
    told = {}
    for path in document["paths"].values():
        for operation in (path.get(verb) for verb in ("get", "post")):
            for status, response in (operation or {}).get("responses", {}).items():
                if "$ref" in response:
                    response = shared[response["$ref"].rpartition("/")[2]]
                told.setdefault(int(status), []).append(response["description"])
    for name, status, _, _ in problem_table():
        texts = told.get(status, []) + [document["info"]["description"]]
        assert any(f"`{name}`" in text for text in texts), f"{name} ({status}) is nowhere described"


def test_openapi_examples_are_those_of_the_table():
    examples = []

    def collect(node):
        if isinstance(node, dict):
            if isinstance(node.get("example"), dict) and "code" in node["example"]:
                examples.append(node["example"])
            for child in node.values():
                collect(child)

    collect(openapi())
    table = {name: (status, again, text) for name, status, again, text in problem_table()}
    assert len(examples) > 5
    for example in examples:
        status, again, title = table[example["code"]]
        assert (example["status"], example["title"]) == (status, title)
        assert example["type"] == f"urn:sluice:problem:{example['code']}"
        assert "retry_after_ms" not in example or again == "yes"


def test_protocol_page_has_the_table():
    page = (ROOT / "docs/protocol.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \| (yes|no) \| (.+?) \|$", page, re.MULTILINE)
    assert [(name, int(status), again, text) for name, status, again, text in rows] == \
        problem_table()


def run_schemathesis(url, credential, sale, folder, *selection):
    settings = folder / "schemathesis.toml"
    settings.write_text(SETTINGS.format(sale=sale))
    program = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [program, "--config-file", settings, "run", OPENAPI, "--url", url, "--seed", "1",
         "--max-examples", "30", "--continue-on-failure", "--generation-database", "none",
         "--header", f"Authorization: Bearer {credential}", *selection],
        cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]


def check_depth(server, *routes):
    """The run got past the gate: each of these routes answered with a success, none with 5xx."""
    seen = figures.read(server)
    for route in routes:
        assert seen.get("sluice_http_requests_total", route=route, status="2xx") > 0, route
    probes = seen.get("sluice_http_requests_total", route="probe", status="5xx")
    assert seen.get("sluice_http_requests_total", status="5xx") == probes, "503 before it was ready"


def test_public_api_keeps_its_contract(embedded, tmp_path):
    server = embedded(arguments=["--demo"]).start()
    sale = server.open_sale(stock=1_000_000, limit_per_order=1_000)
    run_schemathesis(server.url, server.token("ann"), sale, tmp_path, "--exclude-tag", "operators")
    check_depth(server, "purchase", "order", "sales", "demo")


def test_admin_api_keeps_its_contract(embedded, tmp_path):
    server = embedded().start()
    sale = server.open_sale()
    run_schemathesis(server.admin_url, server.admin_key, sale, tmp_path, "--include-tag",
                     "operators")
    check_depth(server, "admin", "metrics")


@pytest.mark.parametrize("listener", ["url", "admin_url"])
def test_probes_are_on_both_listeners(embedded, listener):
    server = embedded().start()
    base = getattr(server, listener)
    assert requests.get(f"{base}/healthz", timeout=5).json() == {"status": "ok"}
    ready = requests.get(f"{base}/readyz", timeout=5)
    assert ready.status_code == 200 and ready.json()["ready"] is True
    assert requests.head(f"{base}/healthz", timeout=5).content == b""


def test_services_mode_answers_as_documented(services, tmp_path):
    """202 `queued` exists only here."""
    server = services().start()
    sale = server.open_sale(stock=1_000_000, limit_per_order=1_000)
    # Without --demo there is no /demo/token, for any method.
    run_schemathesis(server.url, server.token("ann"), sale, tmp_path, "--exclude-tag", "operators",
                     "--exclude-operation-id", "demoToken")
    check_depth(server, "purchase", "order", "sales")
