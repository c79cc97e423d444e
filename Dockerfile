# syntax=docker/dockerfile:1

FROM debian:12 AS builder
WORKDIR /src
# The packages change seldom: a layer of their own, that edits of the code leave alone.
COPY scripts/packages scripts/packages
RUN scripts/packages build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset release -DSLUICE_TESTS=OFF \
    && cmake --build --preset release --target sluice \
    && strip build/release/bin/sluice

FROM debian:12-slim AS runtime
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
       ca-certificates curl libhiredis0.14 libjwt0 libpq5 libprometheus-cpp-core1.0 librdkafka1 \
       libsodium23 libspdlog1.10 libsqlite3-0 libssl3 libtomlplusplus3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin sluice \
    && install -d -o sluice -g sluice -m 700 /var/lib/sluice /var/lib/sluice/secrets
COPY --from=builder /src/build/release/bin/sluice /usr/local/bin/sluice
# A library that the list above forgot stops the build, not the start.
RUN ! ldd /usr/local/bin/sluice | grep 'not found'
COPY LICENSE /usr/share/doc/sluice/LICENSE

USER sluice
WORKDIR /var/lib/sluice
# The default address, loopback, cannot be reached from outside of a container.
ENV SLUICE_DATA_DIR=/var/lib/sluice SLUICE_HTTP_ADDRESS=0.0.0.0
VOLUME /var/lib/sluice
# Buyers; operators (on loopback alone unless SLUICE_ADMIN_ADDRESS says otherwise).
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
# Ready means that it can sell: what an orchestrator should send traffic by.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
  CMD curl -fsS -o /dev/null "http://127.0.0.1:${SLUICE_HTTP_PORT:-8080}/readyz"
ENTRYPOINT ["/usr/local/bin/sluice"]
CMD ["serve"]
