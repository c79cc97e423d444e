"""Bad input gets the status and code of the table, and costs the server nothing that stays."""

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import time
import uuid

import jwt
import pytest
import requests

import figures
from raw import Raw, ask
from sluice import Sluice, free_settings, temporary_folder

HOST = "Host: shop.example\r\n"
MALFORMED = (400, "malformed_request", True)


@pytest.fixture(scope="module")
def shop():
    """One embedded server with an open sale for the whole suite: it must survive all of it."""
    with temporary_folder() as folder:
        server = Sluice(folder, free_settings(
            mode="embedded", http_header_timeout_ms=400, http_body_timeout_ms=400,
            http_idle_timeout_ms=1000, http_connections_per_ip_max=64, http_connections_max=64,
            http_long_polls_max=8)).start()
        server.sale = server.open_sale(stock=1_000, limit_per_order=5)
        yield server
        assert server.terminate() == 0, "it still stops as it should"
        assert "a request failed" not in server.log_text()


@pytest.fixture(autouse=True)
def nothing_stays(shop):
    """Every test leaves the server alive, without an error of its own and without connections."""
    yield
    assert shop.process.poll() is None, shop.log_text()
    assert requests.get(f"{shop.url}/readyz", timeout=5).status_code == 200
    # The figure itself is read over the other listener.
    shop.wait_until(lambda: figures.read(shop).get(
        "sluice_http_connections", listener="public") == 0, 10)
    assert figures.read(shop).get("sluice_http_refusals_total", code="internal_error") == 0


def purchase(shop, user="u", body=b'{"quantity": 1}', **headers):
    sent = {"Content-Type": "application/json", **shop.bearer(user), **headers}
    return requests.post(f"{shop.url}/v1/sales/{shop.sale}/orders", data=body, timeout=10,
                         headers={name: value for name, value in sent.items() if value is not None})


def check_refused(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status


POST = "POST /v1/sales/1/orders HTTP/1.1\r\n" + HOST
SMUGGLED = "GET /healthz HTTP/1.1\r\n" + HOST + "\r\n"

MALFORMED_REQUESTS = {
    "transfer-encoding chunked": POST + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "transfer-encoding gzip": POST + "Transfer-Encoding: gzip\r\n\r\n" + SMUGGLED,
    "transfer-encoding xchunked": POST + "Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED,
    "transfer-encoding identity": POST + "Transfer-Encoding: identity\r\n\r\n" + SMUGGLED,
    "transfer-encoding, lower case": POST + "transfer-encoding:chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "space before the colon": POST + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "both lengths": POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "content-length twice, equal": POST + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "content-length twice, different": POST + "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
    "content-length as a list": POST + "Content-Length: 2, 2\r\n\r\n{}",
    "content-length +2": POST + "Content-Length: +2\r\n\r\n{}",
    "content-length -2": POST + "Content-Length: -2\r\n\r\n{}",
    "content-length 0x2": POST + "Content-Length: 0x2\r\n\r\n{}",
    "content-length empty": POST + "Content-Length:\r\n\r\n{}",
    "content-length with a blank": POST + "Content-Length: 1 2\r\n\r\n{}",
    "no host": "GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": "GET /healthz HTTP/1.1\r\n" + HOST + HOST + "\r\n",
    "empty host": "GET /healthz HTTP/1.1\r\nHost:\r\n\r\n",
    "host with a path": "GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "host with a user": "GET /healthz HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "folded field": "GET /healthz HTTP/1.1\r\n" + HOST + "X-A: a\r\n b\r\n\r\n",
    "field without a colon": "GET /healthz HTTP/1.1\r\n" + HOST + "nonsense\r\n\r\n",
    "field without a name": "GET /healthz HTTP/1.1\r\n" + HOST + ": a\r\n\r\n",
    "control byte in a value": "GET /healthz HTTP/1.1\r\n" + HOST + "X-A: a\x01b\r\n\r\n",
    "NUL in a value": "GET /healthz HTTP/1.1\r\n" + HOST + "X-A: a\0b\r\n\r\n",
    "carriage return in a value": "GET /healthz HTTP/1.1\r\n" + HOST + "X-A: a\rX: b\r\n\r\n",
    "bare line feeds": "GET /healthz HTTP/1.1\nHost: a\n\n",
    "lower-case method": "get /healthz HTTP/1.1\r\n" + HOST + "\r\n",
    "unknown method": "BREW /healthz HTTP/1.1\r\n" + HOST + "\r\n",
    "CONNECT": "CONNECT shop.example:80 HTTP/1.1\r\n" + HOST + "\r\n",
    "absolute target": "GET http://shop.example/healthz HTTP/1.1\r\n" + HOST + "\r\n",
    "asterisk target": "OPTIONS * HTTP/1.1\r\n" + HOST + "\r\n",
    "target without a slash": "GET healthz HTTP/1.1\r\n" + HOST + "\r\n",
    "blank in the target": "GET /a b HTTP/1.1\r\n" + HOST + "\r\n",
    "two blanks": "GET  /healthz HTTP/1.1\r\n" + HOST + "\r\n",
    "bad percent": "GET /%zz HTTP/1.1\r\n" + HOST + "\r\n",
    "raw UTF-8 in the target": "GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + "\r\n",
    "fragment": "GET /healthz#a HTTP/1.1\r\n" + HOST + "\r\n",
    "HTTP/2.0": "GET /healthz HTTP/2.0\r\n" + HOST + "\r\n",
    "HTTP/0.9": "GET /healthz\r\n\r\n",
    "HTTP/1.1 in lower case": "GET /healthz http/1.1\r\n" + HOST + "\r\n",
    "HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "empty line first": "\r\nGET /healthz HTTP/1.1\r\n" + HOST + "\r\n",
    "random bytes": bytes(range(256)),
    "two authorizations": POST + "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "two content types": POST + "Content-Type: application/json\r\nContent-Type: a/b\r\n\r\n",
    "unknown expectation": POST + "Expect: 200-maybe\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("listener", ["url", "admin_url"])
@pytest.mark.parametrize("case", MALFORMED_REQUESTS)
def test_malformed_request_is_refused_and_closed(shop, case, listener):
    """One answer, then the end: nothing behind it is read as a request."""
    assert ask(getattr(shop, listener), MALFORMED_REQUESTS[case]) == MALFORMED


def test_body_is_never_read_as_the_next_request(shop):
    inner = SMUGGLED.encode()
    head = (f"POST /v1/sales/{shop.sale}/orders HTTP/1.1\r\n{HOST}"
            f"Authorization: Bearer {shop.token('smuggler')}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(inner)}\r\n\r\n")
    with Raw(shop.url) as raw:
        raw.send(head.encode() + inner + SMUGGLED.encode())
        first, second = raw.read(), raw.read()
    assert first[0] == 400 and json.loads(first[2])["code"] == "invalid_json"
    assert (second[0], json.loads(second[2])) == (200, {"status": "ok"})


def test_pipelined_requests_are_answered_in_order(shop):
    paths = ["/healthz", "/v1/sales/999999", "/nowhere", f"/v1/sales/{shop.sale}"] * 50
    with Raw(shop.url) as raw:
        raw.send("".join(f"GET {path} HTTP/1.1\r\n{HOST}\r\n" for path in paths))
        statuses = [raw.read()[0] for _ in paths]
    assert statuses == [200, 404, 404, 200] * 50


def test_http_1_0_is_answered_once_and_closed(shop):
    assert ask(shop.url, "GET /healthz HTTP/1.0\r\n\r\n") == (200, None, True)


OVERSIZED = {
    "long target": ("GET /" + "a" * 9_000 + " HTTP/1.1\r\n", 431, "header_too_large"),
    "long field": ("GET / HTTP/1.1\r\n" + HOST + "X: " + "a" * 9_000 + "\r\n\r\n", 431,
                   "header_too_large"),
    "header without an end": ("GET / HTTP/1.1\r\n" + "X: a\r\n" * 2_000, 431, "header_too_large"),
    "many fields": ("GET / HTTP/1.1\r\n" + HOST + "X: a\r\n" * 100 + "\r\n", 431,
                    "header_too_large"),
    "body over the limit": (POST + "Content-Length: 4097\r\n\r\n" + "a" * 4097, 413,
                            "body_too_large"),
    "body only announced": (POST + "Content-Length: 1000000000\r\n\r\n", 413, "body_too_large"),
    "length beyond 64 bits": (POST + "Content-Length: " + "9" * 40 + "\r\n\r\n", 413,
                              "body_too_large"),
}


@pytest.mark.parametrize("case", OVERSIZED)
def test_oversized_request_is_refused_and_closed(shop, case):
    data, status, code = OVERSIZED[case]
    assert ask(shop.url, data) == (status, code, True)


def test_largest_body_is_read(shop):
    body = b'{"quantity": 1' + b" " * (4096 - 15) + b"}"
    assert len(body) == 4096
    assert purchase(shop, "largest", body).status_code == 201


@pytest.mark.parametrize("data", ["G", "GET / HTTP/1.1\r\nHost: a\r\n",
                                  POST + "Content-Length: 100\r\n\r\n{"])
def test_request_that_never_ends_is_answered_408(shop, data):
    began = time.monotonic()
    assert ask(shop.url, data) == (408, "request_timeout", True)
    assert 0.3 < time.monotonic() - began < 3


def test_drip_does_not_extend_the_deadline(shop):
    with Raw(shop.url) as raw:
        began = time.monotonic()
        raw.socket.settimeout(0.05)
        while time.monotonic() - began < 5:
            raw.send("G" if time.monotonic() - began < 0.05 else "E")
            try:
                if raw._more():
                    break
            except TimeoutError:
                continue
        raw.socket.settimeout(5)
        status, _, body = raw.read()
    assert (status, json.loads(body)["code"]) == (408, "request_timeout")
    assert time.monotonic() - began < 3


def test_idle_connections_are_closed_without_a_word(shop):
    with Raw(shop.url) as fresh, Raw(shop.url) as used:
        used.send(SMUGGLED)
        assert used.read()[0] == 200
        assert fresh.closed_within(4) and used.closed_within(4)


def test_client_that_goes_away_leaves_nothing(shop):
    def asked():
        return figures.read(shop).get("sluice_http_requests_total", route="purchase")

    sale = shop.open_sale(stock=40)
    before = asked()
    for i in range(40):
        raw = Raw(shop.url)
        raw.send(f"POST /v1/sales/{sale}/orders HTTP/1.1\r\n{HOST}"
                 f"Authorization: Bearer {shop.token(f'gone-{i}')}\r\n\r\n")
        raw.socket.close()
    shop.wait_until(lambda: asked() == before + 40, 10)
    # What was taken is held by whoever asked, answer or not: asking again finds it.
    answers = [shop.buy(sale, f"gone-{i}") for i in range(40)]
    assert [answer.status_code for answer in answers] == [200] * 40
    assert len({answer.json()["order_id"] for answer in answers}) == 40
    check_refused(shop.buy(sale, "late"), 409, "sold_out")


DAY_S = 86_400  # the tokens below are made long before the last of them is shown


def claims(**changes):
    now = int(time.time())
    whole = {"sub": "ann", "iss": "sluice", "aud": "sluice", "iat": now,
             "exp": now + DAY_S, **changes}
    return {name: value for name, value in whole.items() if value is not None}


def signed(payload, secret=Sluice.identity_secret, algorithm="HS256", **header):
    return jwt.encode(payload, secret, algorithm=algorithm, headers=header or None)


def part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(header, payload, secret=b"", keep_signature=True):
    """A token that no library would make."""
    text = f"{part(header)}.{part(payload)}"
    digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{part(digest) if keep_signature else ''}"


SECRET = Sluice.identity_secret.encode()
BAD_TOKENS = {
    "other secret": signed(claims(), "x" * 64),
    "other issuer": signed(claims(iss="shop")),
    "other audience": signed(claims(aud="shop")),
    "no issuer": signed(claims(iss=None)),
    "no audience": signed(claims(aud=None)),
    "no subject": signed(claims(sub=None)),
    "empty subject": signed(claims(sub="")),
    "subject with a blank": signed(claims(sub="a b")),
    "subject of 65 characters": signed(claims(sub="a" * 65)),
    "no expiry": signed(claims(exp=None)),
    "expiry as text": signed(claims(exp="2100-01-01")),
    "not yet valid": signed(claims(nbf=int(time.time()) + 3600)),
    "alg none": by_hand({"alg": "none", "typ": "JWT"}, claims(), keep_signature=False),
    "alg none, signed": by_hand({"alg": "none", "typ": "JWT"}, claims(), SECRET),
    "alg NONE": by_hand({"alg": "NONE"}, claims(), keep_signature=False),
    "no alg": by_hand({"typ": "JWT"}, claims(), SECRET),
    "HS512": signed(claims(), algorithm="HS512"),
    "HS384": signed(claims(), algorithm="HS384"),
    "RS256 by name, HMAC by signature": by_hand({"alg": "RS256"}, claims(), SECRET),
    "no signature": signed(claims()).rpartition(".")[0] + ".",
    "changed payload": ".".join([signed(claims()).split(".")[0], part(claims(sub="bob")),
                                 signed(claims()).split(".")[2]]),
    "two parts": ".".join(signed(claims()).split(".")[:2]),
    "four parts": signed(claims()) + ".AAAA",
    "payload is a list": by_hand({"alg": "HS256"}, [1], SECRET),
    "payload is no JSON": by_hand({"alg": "HS256"}, b"\xff\xfe{", SECRET),
    "no base64": "!!!.???.***",
    "a word": "token",
    "over 2 KiB": signed(claims(pad="a" * 3_000)),
}


@pytest.mark.parametrize("case", BAD_TOKENS)
def test_bad_token_is_refused(shop, case):
    answer = purchase(shop, Authorization=f"Bearer {BAD_TOKENS[case]}")
    check_refused(answer, 401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_expired_token_is_told_apart(shop):
    for exp in (1, int(time.time()) - 1):
        token = signed(claims(exp=exp))
        check_refused(purchase(shop, Authorization=f"Bearer {token}"), 401, "expired_token")


def test_remembered_token_still_expires(shop):
    token = {"Authorization": f"Bearer {shop.token('brief', lifetime_s=2)}"}
    url = f"{shop.url}/v1/sales/{shop.sale}/orders/mine"
    assert requests.get(url, headers=token, timeout=5).status_code == 404
    shop.wait_until(lambda: requests.get(url, headers=token, timeout=5).status_code == 401, 5)
    check_refused(requests.get(url, headers=token, timeout=5), 401, "expired_token")


@pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer ", "Basic YTpi", "ann"])
def test_missing_token_is_told_apart(shop, value):
    check_refused(purchase(shop, Authorization=value), 401, "missing_token")


def test_public_key_is_no_shared_secret(tmp_path):
    """RS256 configured: the attacker signs with HS256 and the public key, which everybody has."""
    private, public = tmp_path / "key.pem", tmp_path / "key.pub"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", private)
    openssl("pkey", "-in", private, "-pubout", "-out", public)
    environment = free_settings(mode="embedded", identity_algorithm="RS256",
                                identity_public_key_file=public)
    with temporary_folder() as folder, Sluice(folder, environment).start() as server:
        sale = server.open_sale()
        url = f"{server.url}/v1/sales/{sale}/orders"

        def status(token):
            return requests.post(url, headers={"Authorization": f"Bearer {token}"},
                                 timeout=10).status_code

        assert status(by_hand({"alg": "HS256"}, claims(), public.read_bytes())) == 401
        assert status(by_hand({"alg": "RS256"}, claims(), public.read_bytes())) == 401
        assert status(by_hand({"alg": "none"}, claims(), keep_signature=False)) == 401
        text = f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part(claims())}"
        signature = openssl("dgst", "-sha256", "-sign", private, stdin=text.encode())
        assert status(f"{text}.{part(signature)}") == 201


def openssl(*arguments, stdin=b""):
    return subprocess.run(["openssl", *arguments], input=stdin, check=True, capture_output=True,
                          timeout=60).stdout


BAD_BODIES = {
    "zero": ('{"quantity": 0}', 422, "invalid_quantity"),
    "negative": ('{"quantity": -1}', 422, "invalid_quantity"),
    "minus zero": ('{"quantity": -0}', 422, "invalid_quantity"),
    "fraction": ('{"quantity": 1.5}', 422, "invalid_quantity"),
    "whole fraction": ('{"quantity": 1.0}', 422, "invalid_quantity"),
    "exponent": ('{"quantity": 1e0}', 422, "invalid_quantity"),
    "text": ('{"quantity": "1"}', 422, "invalid_quantity"),
    "null": ('{"quantity": null}', 422, "invalid_quantity"),
    "true": ('{"quantity": true}', 422, "invalid_quantity"),
    "list": ('{"quantity": [1]}', 422, "invalid_quantity"),
    "object": ('{"quantity": {"quantity": 1}}', 422, "invalid_quantity"),
    "over the limit": ('{"quantity": 6}', 422, "quantity_over_limit"),
    "2^32 + 1": ('{"quantity": 4294967297}', 422, "quantity_over_limit"),
    "2^63": ('{"quantity": 9223372036854775808}', 422, "quantity_over_limit"),
    "2^64 + 1": ('{"quantity": 18446744073709551617}', 422, "quantity_over_limit"),
    "100 digits": ('{"quantity": ' + "9" * 100 + "}", 422, "quantity_over_limit"),
    "minus 100 digits": ('{"quantity": -' + "9" * 100 + "}", 422, "invalid_quantity"),
    "duplicate": ('{"quantity": 1, "quantity": 2}', 400, "duplicate_member"),
    "duplicate, escaped": ('{"quantity": 1, "\\u0071uantity": 2}', 400, "duplicate_member"),
    "unknown member": ('{"quantity": 1, "coupon": "x"}', 400, "unknown_member"),
    "other case": ('{"Quantity": 1}', 400, "unknown_member"),
    "leading zero": ('{"quantity": 01}', 400, "invalid_json"),
    "plus": ('{"quantity": +1}', 400, "invalid_json"),
    "NaN": ('{"quantity": NaN}', 400, "invalid_json"),
    "number beyond a double": ('{"quantity": 1e999}', 400, "invalid_json"),
    "trailing comma": ('{"quantity": 1,}', 400, "invalid_json"),
    "comment": ('{"quantity": 1 /* one */}', 400, "invalid_json"),
    "cut off": ('{"quantity": 1', 400, "invalid_json"),
    "two objects": ('{"quantity": 1}{}', 400, "invalid_json"),
    "a list": ("[1]", 400, "invalid_json"),
    "a number": ("1", 400, "invalid_json"),
    "blanks": ("   ", 400, "invalid_json"),
    "byte order mark": (b'\xef\xbb\xbf{"quantity": 1}', 400, "invalid_json"),
    "invalid UTF-8": (b'{"quantity": 1, "\xff": 1}', 400, "invalid_json"),
    "overlong UTF-8": (b'{"\xc0\xaf": 1}', 400, "invalid_json"),
    "lone surrogate": ('{"\\ud800": 1}', 400, "invalid_json"),
    "UTF-16": ('{"quantity": 1}'.encode("utf-16"), 400, "invalid_json"),
    "NUL": (b'{"quantity": 1}\0', 400, "invalid_json"),
    "NUL and more": (b'{"quantity": 1}\0{"quantity": 2}', 400, "invalid_json"),
    "deep": ("[" * 2_000 + "]" * 2_000, 400, "invalid_json"),
    "deep member": ('{"quantity": ' + "[" * 2_000 + "]" * 2_000 + "}", 400, "invalid_json"),
    "form": ("quantity=1", 400, "invalid_json"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_bad_body_is_refused(shop, case):
    body, status, code = BAD_BODIES[case]
    check_refused(purchase(shop, body=body), status, code)


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded",
                                  "application/json-patch+json", "application/jsonx",
                                  "application/json; charset=utf-16",
                                  "application/json, text/plain"])
def test_other_content_type_is_refused(shop, kind):
    check_refused(purchase(shop, **{"Content-Type": kind}), 415, "unsupported_media_type")


def test_a_refused_body_takes_nothing(shop):
    """Everything above was asked by this user, who still has no order."""
    answer = requests.get(f"{shop.url}/v1/sales/{shop.sale}/orders/mine", headers=shop.bearer("u"),
                          timeout=5)
    check_refused(answer, 404, "unknown_order")


@pytest.mark.parametrize("sale", ["999999", "0", "-1", "+1", "01", "1.0", "1e0", "0x1", "abc",
                                  "9223372036854775807", "9223372036854775808",
                                  "18446744073709551617", "9" * 100, "1;", "1%00", "%20"])
def test_unknown_sale_is_refused(shop, sale):
    for path in (f"/v1/sales/{sale}", f"/v1/sales/{sale}/orders/mine",
                 f"/v1/sales/{sale}/orders/{uuid.uuid4()}"):
        answer = requests.get(shop.url + path, headers=shop.bearer("u"), timeout=5)
        check_refused(answer, 404, "unknown_sale")
    answer = requests.post(f"{shop.url}/v1/sales/{sale}/orders", headers=shop.bearer("u"),
                           timeout=5)
    check_refused(answer, 404, "unknown_sale")
    check_refused(shop.admin("POST", f"/admin/sales/{sale}/close"), 404, "unknown_sale")


def test_addresses_are_not_decoded(shop):
    """%31 is no other way to write 1: two names for one thing are what rules are got around by."""
    digit = f"%3{shop.sale}"
    assert ask(shop.url, f"GET /v1/sales/{digit} HTTP/1.1\r\n{HOST}\r\n")[:2] == \
        (404, "unknown_sale")
    order = shop.buy(shop.sale, "encoder").json()["order_id"]
    for wait, expected in (("1", (200, None)), ("%31", (400, "invalid_parameter"))):
        assert ask(shop.url, f"GET /v1/sales/{shop.sale}/orders/{order}?wait={wait} HTTP/1.1\r\n"
                   f"{HOST}Authorization: Bearer {shop.token('encoder')}\r\n\r\n")[:2] == expected


@pytest.mark.parametrize("path", ["//", "/v1", "/v1/", "/v1/sales/", "/v1//sales", "/v1/sales/1/",
                                  "/../etc/passwd", "/%2e%2e/etc/passwd", "/v1/sales/1/orders/",
                                  "/v1/sales/1/orders/x/y", "/index.html/", "/V1/sales",
                                  "/admin/sales", "/metrics", "/demo/token"])
def test_unknown_address_is_refused(shop, path):
    with Raw(shop.url) as raw:
        raw.send(f"GET {path} HTTP/1.1\r\n{HOST}Authorization: Bearer {shop.token('u')}\r\n\r\n")
        status, _, body = raw.read()
    assert status == 404
    assert json.loads(body)["code"] in ("not_found", "unknown_sale", "unknown_order")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_other_method_is_refused_and_the_right_ones_named(shop, method):
    for path, allow in ((f"/v1/sales/{shop.sale}/orders", "POST"), ("/v1/sales", "GET, HEAD"),
                        ("/healthz", "GET, HEAD"), ("/", "GET, HEAD")):
        answer = requests.request(method, shop.url + path, headers=shop.bearer("u"), timeout=5)
        check_refused(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == allow


@pytest.mark.parametrize("query", ["wait=-1", "wait=30001", "wait=99999999999999999999", "wait=",
                                   "wait=1s", "wait=1.5", "wait=+1", "wait=1&wait=1",
                                   "wait", "Wait=1", "limit=1", "wait=1&x=1", "wait=0x10"])
def test_bad_wait_is_refused(shop, query):
    order = shop.buy(shop.sale, "waiter").json()["order_id"]
    url = f"{shop.url}/v1/sales/{shop.sale}/orders/{order}"
    check_refused(requests.get(f"{url}?{query}", headers=shop.bearer("waiter"), timeout=5),
                  400, "invalid_parameter")
    assert shop.order(shop.sale, order, "waiter", wait_ms=30_000).json()["status"] == "confirmed"


@pytest.mark.parametrize("path", ["/v1/sales?x=1", "/v1/sales/{}?x",
                                  "/v1/sales/{}/orders/mine?wait=1"])
def test_unknown_parameter_is_refused(shop, path):
    answer = requests.get(shop.url + path.format(shop.sale), headers=shop.bearer("u"), timeout=5)
    check_refused(answer, 400, "invalid_parameter")


def test_orders_are_visible_to_their_owner_alone(shop):
    mine = shop.buy(shop.sale, "owner")
    order = mine.json()["order_id"]
    assert mine.headers["Location"] == f"/v1/sales/{shop.sale}/orders/{order}"
    assert shop.order(shop.sale, order, "owner").json()["order_id"] == order
    other_sale = shop.open_sale()
    foreign = [shop.order(shop.sale, order, "stranger"), shop.order(other_sale, order, "owner")]
    for answer in foreign:
        check_refused(answer, 404, "unknown_order")
    for made_up in (str(uuid.uuid4()), order.upper(), order.replace("-", ""), order[:-1] + "x",
                    "0" * 36, order + "0", "%30", "nil", f"{{{order}}}".replace("{", "%7B")
                    .replace("}", "%7D")):
        check_refused(shop.order(shop.sale, made_up, "owner"), 404, "unknown_order")
    # One bit of the id changed: still shaped like one, no longer certified.
    forged = order[:-1] + format(int(order[-1], 16) ^ 1, "x")
    check_refused(shop.order(shop.sale, forged, "owner"), 404, "unknown_order")


GOOD_DRAFT = {"title": "T", "stock": 10, "starts_at": 1_000, "ends_at": 2_000}
BAD_DRAFTS = {
    "no stock": ({**GOOD_DRAFT, "stock": None}, 422),
    "stock 0": ({**GOOD_DRAFT, "stock": 0}, 422),
    "stock beyond 64 bits": ({**GOOD_DRAFT, "stock": 2**64}, 422),
    "negative price": ({**GOOD_DRAFT, "unit_price_minor": -1}, 422),
    "price that overflows": ({**GOOD_DRAFT, "unit_price_minor": 2**63 - 1}, 422),
    "currency": ({**GOOD_DRAFT, "currency": "euro"}, 422),
    "ends before it starts": ({**GOOD_DRAFT, "ends_at": 1_000}, 422),
    "no time": ({**GOOD_DRAFT, "starts_at": "tomorrow"}, 422),
    "29 February 2026": ({**GOOD_DRAFT, "starts_at": "2026-02-29T00:00:00Z"}, 422),
    "more lanes than units": ({**GOOD_DRAFT, "lanes": 11}, 422),
    "lanes beyond the limit": ({**GOOD_DRAFT, "stock": 10_000, "lanes": 257}, 422),
    "empty title": ({**GOOD_DRAFT, "title": ""}, 422),
    "title of 201 bytes": ({**GOOD_DRAFT, "title": "a" * 201}, 422),
    "unknown member": ({**GOOD_DRAFT, "stok": 1}, 400),
}


@pytest.mark.parametrize("case", BAD_DRAFTS)
def test_bad_draft_is_refused_with_the_member(shop, case):
    draft, status = BAD_DRAFTS[case]
    draft = {name: value for name, value in draft.items() if value is not None}
    answer = shop.admin("POST", "/admin/sales", json=draft)
    check_refused(answer, status, "invalid_sale" if status == 422 else "unknown_member")
    assert answer.json()["detail"]


@pytest.mark.parametrize("value", [None, "Bearer wrong", f"Bearer {'a' * 63}", f"Bearer {'a' * 65}",
                                   f"Basic {'a' * 64}"])
def test_wrong_admin_key_is_refused(shop, value):
    headers = {"Authorization": value} if value else {}
    for method, path in (("GET", "/admin/sales"), ("POST", f"/admin/sales/{shop.sale}/close"),
                         ("GET", "/metrics"), ("GET", "/nowhere")):
        answer = requests.request(method, shop.admin_url + path, headers=headers, timeout=5)
        wrong = value and value.startswith("Bearer")
        check_refused(answer, 401, "invalid_token" if wrong else "missing_token")
    assert shop.buy(shop.sale, "after").status_code in (200, 201), "the sale was not closed"


def test_connections_beyond_the_limit_are_told_so(shop):
    held = [Raw(shop.url) for _ in range(64)]
    try:
        for raw in held:
            raw.send(SMUGGLED)
            assert raw.read()[0] == 200
        with Raw(shop.url) as one_more:
            status, headers, body = one_more.read()
            assert (status, json.loads(body)["code"]) == (503, "too_many_connections")
            assert int(headers["retry-after"]) >= 1 and headers["connection"] == "close"
        held.pop().socket.close()

        def admitted():
            with Raw(shop.url) as again:
                again.send(SMUGGLED)
                return again.read()[0] == 200

        shop.wait_until(admitted, 5)
    finally:
        for raw in held:
            raw.socket.close()


def test_a_flood_of_bad_requests_does_not_grow_the_server(shop):
    def flood(rounds):
        for _ in range(rounds):
            for case in ("two hosts", "transfer-encoding chunked", "random bytes"):
                ask(shop.url, MALFORMED_REQUESTS[case])
            purchase(shop, body=b'{"quantity": ' + b"[" * 2_000)
            purchase(shop, Authorization=f"Bearer {BAD_TOKENS['other secret']}")

    flood(100)
    before = resident_kib(shop)
    flood(400)
    assert resident_kib(shop) - before < 2_048


def resident_kib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def server_with(folder, **settings):
    return Sluice(folder, free_settings(mode="embedded", **settings)).start()


def check_retry(answer, status, code):
    check_refused(answer, status, code)
    exact_ms = answer.json()["retry_after_ms"]
    assert exact_ms >= 1 and int(answer.headers["Retry-After"]) == -(-exact_ms // 1000)


def test_user_rate_is_limited_and_forgiven(folder):
    with server_with(folder, gate_user_rate_per_s=4, gate_user_burst=3) as server:
        sale = server.open_sale()
        answers = [server.buy(sale, "eager") for _ in range(5)]
        assert [answer.status_code for answer in answers[:3]] == [201, 200, 200]
        check_retry(answers[3], 429, "rate_limited")
        assert server.buy(sale, "calm").status_code == 201, "others are not held to it"
        server.wait_until(lambda: server.buy(sale, "eager").status_code == 200, 5)


def test_address_rate_is_limited_and_probes_are_exempt(folder):
    with server_with(folder, gate_ip_rate_per_s=1, gate_ip_burst=5) as server:
        answers = [requests.get(f"{server.url}/v1/sales", timeout=5) for _ in range(8)]
        assert [answer.status_code for answer in answers[:5]] == [200] * 5
        check_retry(answers[-1], 429, "rate_limited")
        assert {requests.get(f"{server.url}/healthz", timeout=5).status_code
                for _ in range(20)} == {200}


def test_forwarded_address_of_a_stranger_is_not_believed(folder):
    with server_with(folder, gate_ip_rate_per_s=1, gate_ip_burst=5) as server:
        statuses = [requests.get(f"{server.url}/v1/sales", timeout=5,
                                 headers={"X-Forwarded-For": f"203.0.113.{i}"}).status_code
                    for i in range(8)]
        assert statuses == [200] * 5 + [429] * 3


def test_credits_exhausted_says_busy_and_everybody_is_served_later(folder):
    """Forty purchases find the server at once, as it stood still meanwhile; it has two credits."""
    with server_with(folder, gate_concurrency_max=2) as server:
        sale = server.open_sale(stock=40)
        users = [f"u{i}" for i in range(40)]
        buyers = [Raw(server.url) for _ in users]
        os.kill(server.process.pid, signal.SIGSTOP)
        for user, raw in zip(users, buyers):
            raw.send(f"POST /v1/sales/{sale}/orders HTTP/1.1\r\n{HOST}"
                     f"Authorization: Bearer {server.token(user)}\r\n\r\n")
        os.kill(server.process.pid, signal.SIGCONT)
        answers = [raw.read() for raw in buyers]
        statuses = [status for status, _, _ in answers]
        assert set(statuses) == {201, 503}, statuses
        for status, headers, body in answers:
            if status == 503:
                assert json.loads(body)["code"] == "busy" and int(headers["retry-after"]) >= 1
        assert statuses.count(503) > 20
        server.wait_until(lambda: figures.read(server).get(
            "sluice_http_refusals_total", code="busy") == statuses.count(503), 5)
        again = [server.buy(sale, user).status_code for user in users]
        assert again == [200 if status == 201 else 201 for status in statuses]
        for raw in buyers:
            raw.socket.close()
