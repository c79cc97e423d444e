"""A rush on a small stock: everybody gets one definite answer, and the stores agree."""

import re
import time

import requests

from sluice import Crowd

BUYERS = 20_000
STOCK = 1_000


def buyers(count=BUYERS):
    return [f"user-{i}" for i in range(count)]


def check_answers(crowd, expected_users):
    assert set(crowd.answers) == set(expected_users), "everybody was answered"
    for user, answers in crowd.answers.items():
        assert len(answers) >= 2, f"{user} asked again and was answered again"
        assert {status for status, _ in answers} <= {200, 201, 202, 409}, answers
    assert crowd.silence == 0


def test_embedded_rush_sells_exactly_the_stock(embedded):
    server = embedded().start()
    sale = server.open_sale(stock=STOCK)
    crowd = Crowd(server, sale).run(buyers())
    check_answers(crowd, buyers())
    assert server.terminate() == 0

    holders = crowd.holders()
    assert len(holders) == STOCK
    assert embedded.truth.live_orders(sale) == {order: user for user, order in holders.items()}
    assert embedded.truth.stock(sale) == 0
    embedded.truth.check_conservation(sale)


def test_services_rush_sells_exactly_the_stock_and_all_stores_agree(services):
    server = services().start()
    sale = server.open_sale(stock=STOCK)
    crowd = Crowd(server, sale).run(buyers())
    check_answers(crowd, buyers())

    holders = crowd.holders()
    assert len(holders) == STOCK
    for user, order in list(holders.items())[::97]:
        assert server.order(sale, order, user, wait_ms=10_000).json()["status"] == "confirmed"
    server.wait_until(lambda: services.projection.pending(sale) == 0)
    by_order = {order: user for user, order in holders.items()}
    assert services.truth.live_orders(sale) == by_order
    assert services.projection.winners(sale) == holders
    assert services.projection.stock(sale) == services.truth.stock(sale) == 0
    assert services.truth.statuses(sale) == {"confirmed": STOCK}
    services.truth.check_conservation(sale)
    assert messages_in_log(services) == set(by_order), "every reservation went through the log once"
    assert server.terminate() == 0


def test_more_units_than_buyers_leave_the_rest_in_stock(services):
    server = services().start()
    sale = server.open_sale(stock=500, limit_per_order=3)
    answers = [server.buy(sale, f"u{i}", quantity=1 + i % 3) for i in range(60)]
    assert {answer.status_code for answer in answers} == {202}
    for i, answer in enumerate(answers):
        server.order(sale, answer.json()["order_id"], f"u{i}", wait_ms=10_000)
    server.wait_until(lambda: services.projection.pending(sale) == 0)
    assert services.truth.stock(sale) == services.projection.stock(sale) == 500 - 120
    services.truth.check_conservation(sale)


def test_the_id_of_a_request_is_in_its_record_and_in_the_log_line_of_its_row(services):
    from confluent_kafka import Consumer, TopicPartition

    import conftest
    server = services().start(SLUICE_LOG_LEVEL="debug")
    sale = server.open_sale(stock=1)
    named = requests.post(f"{server.url}/v1/sales/{sale}/orders", timeout=30,
                          headers={**server.bearer("ann"), "X-Request-Id": "from-ann.1"})
    assert (named.status_code, named.headers["X-Request-Id"]) == (202, "from-ann.1")
    order_id = named.json()["order_id"]
    assert server.order(sale, order_id, "ann", wait_ms=10_000).json()["status"] == "confirmed"
    line = re.compile(f"order {order_id} of sale {sale}, lane 0, epoch .*: confirmed "
                      r"\(request from-ann\.1\)")
    server.wait_until(lambda: line.search(server.log_text()), 10)

    consumer = Consumer({"bootstrap.servers": conftest.KAFKA, "group.id": f"{services.topic}.ids",
                         "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(services.topic, partition, 0) for partition in
                         consumer.list_topics(services.topic).topics[services.topic].partitions])
        until = time.monotonic() + 30
        while time.monotonic() < until:
            message = consumer.poll(1)
            if message and not message.error() and order_id.encode() in message.value():
                break
        assert message.headers() == [("request_id", b"from-ann.1")]
    finally:
        consumer.close()
    assert server.terminate() == 0


def messages_in_log(services):
    """The order ids in the topic; each at most once."""
    import json

    from confluent_kafka import Consumer, TopicPartition

    import conftest
    consumer = Consumer({"bootstrap.servers": conftest.KAFKA, "group.id": f"{services.topic}.check",
                         "enable.auto.commit": False})
    ids = []
    try:
        for partition in consumer.list_topics(services.topic).topics[services.topic].partitions:
            place = TopicPartition(services.topic, partition)
            begin, end = consumer.get_watermark_offsets(place, timeout=10)
            consumer.assign([TopicPartition(services.topic, partition, begin)])
            until = time.monotonic() + 30
            seen = begin
            while seen < end and time.monotonic() < until:
                message = consumer.poll(1)
                if message is not None and message.error() is None:
                    ids.append(json.loads(message.value())["order_id"])
                    seen = message.offset() + 1
    finally:
        consumer.close()
    assert len(ids) == len(set(ids))
    return set(ids)
