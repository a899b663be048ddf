# Both services' images; each is a target: docker build --target producer-svc .   docker build --target consumer-svc .

FROM rust:1.95-bookworm AS tools
WORKDIR /build
ENV CARGO_TERM_COLOR=never
RUN cargo install --locked cargo-chef@0.1.78 cargo-auditable@0.7.7

# What the dependencies are, and nothing else of the sources: as long as this stays the same, so does the next layer.
FROM tools AS recipe
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM tools AS build
# `otel`: with traces.
ARG CARGO_FEATURES=""
COPY --from=recipe /build/recipe.json recipe.json
RUN cargo chef cook --release --locked --features "${CARGO_FEATURES}" --recipe-path recipe.json \
      -p producer-svc -p consumer-svc
COPY . .
# The binaries carry the list of their dependencies, for `cargo audit bin` and image scanners.
RUN cargo auditable build --release --locked --features "${CARGO_FEATURES}" -p producer-svc -p consumer-svc

FROM gcr.io/distroless/cc-debian12:nonroot AS service
ARG VERSION=0.1.0
LABEL org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENV HTTP_ADDR=0.0.0.0:8080
EXPOSE 8080

FROM service AS producer-svc
LABEL org.opencontainers.image.title="producer-svc" \
      org.opencontainers.image.description="Sends a numbered, timestamped message each second to a Kafka topic"
COPY --from=build /build/target/release/producer-svc /usr/local/bin/producer-svc
ENTRYPOINT ["/usr/local/bin/producer-svc"]

FROM service AS consumer-svc
LABEL org.opencontainers.image.title="consumer-svc" \
      org.opencontainers.image.description="One replica of a consumer group that logs each message it receives"
COPY --from=build /build/target/release/consumer-svc /usr/local/bin/consumer-svc
ENTRYPOINT ["/usr/local/bin/consumer-svc"]
