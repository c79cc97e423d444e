"""Long polls whose clients leave: what they hold is free at once."""

import re
import socket

import psycopg

from raw import Raw

CROWD = 3000


def poll_of(server, sale, order, user):
    bearer = server.bearer(user)["Authorization"]
    return (f"GET /v1/sales/{sale}/orders/{order}?wait=30000 HTTP/1.1\r\nHost: a\r\n"
            f"Authorization: {bearer}\r\n\r\n")


def metric(server, name):
    text = server.admin("GET", "/metrics").text
    return int(float(re.search(rf'^{name}{{listener="public"}} (\S+)$', text, re.M)[1]))


def test_thousands_of_polls_dropped_at_once_free_their_places(services):
    server = services().start()
    sale = server.open_sale(stock=5)
    with psycopg.connect(services.truth.url) as undecided:
        # Nothing is applied while this holds the sale's rows; readers do not notice.
        undecided.execute("SELECT 1 FROM product_stock WHERE sale_id = %s FOR UPDATE", (sale,))
        order = server.buy(sale, "ann").json()["order_id"]
        poll = poll_of(server, sale, order, "ann")

        crowd = [Raw(server.url) for _ in range(CROWD)]
        with Raw(server.url, timeout_s=40) as stays, Raw(server.url) as half:
            for client in [*crowd, stays, half]:
                client.send(poll)
            server.wait_until(
                lambda: metric(server, "sluice_http_connections") >= CROWD + 2, 20)
            assert metric(server, "sluice_http_hang_ups_total") == 0
            half.socket.shutdown(socket.SHUT_WR)
            status, _, body = half.read()
            assert status == 200 and b'"status":"queued"' in body
            for client in crowd:
                client.socket.close()
            # Their waits would go on for most of 30 s.
            server.wait_until(lambda: metric(server, "sluice_http_connections") <= 2, 10)
            assert metric(server, "sluice_http_hang_ups_total") == CROWD + 1
            undecided.rollback()
            status, _, body = stays.read()
            assert status == 200
            assert b'"status":"confirmed"' in body
