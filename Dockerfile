# Builds the images of both services and of the audit, one target each:
#
#   docker build --target producer-svc -t producer-svc .
#   docker build --target consumer-svc -t consumer-svc .
#   docker build --target producer-svc --build-arg CARGO_FEATURES=otel .     (with traces)
#   docker build --target audit -t audit .

FROM rust:1.95.0-bookworm AS tools
WORKDIR /build
ENV CARGO_TERM_COLOR=never
RUN cargo install --locked cargo-chef@0.1.78 cargo-auditable@0.7.7 auditable2cdx@0.1.0

# cargo-chef reduces the sources to a recipe that names the dependencies only. While the recipe stays the same, Docker takes the
# layer with the compiled dependencies from its cache.
FROM tools AS recipe
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM tools AS build
# Cargo features of the services in addition to the default ones.
ARG CARGO_FEATURES=""
COPY --from=recipe /build/recipe.json recipe.json
RUN cargo chef cook --release --locked --features "${CARGO_FEATURES}" --recipe-path recipe.json \
      -p producer-svc -p consumer-svc
COPY . .
# cargo-auditable embeds the list of dependencies in the binaries, where `cargo audit bin` and image scanners find it.
RUN cargo auditable build --release --locked --features "${CARGO_FEATURES}" -p producer-svc -p consumer-svc
# The same list as a document of its own in the image (CycloneDX).
RUN auditable2cdx target/release/producer-svc > target/release/producer-svc.cdx.json && \
    auditable2cdx target/release/consumer-svc > target/release/consumer-svc.cdx.json

# Not part of the stage above, so that only the image of the audit needs it.
FROM build AS build-audit
RUN cargo auditable build --release --locked -p audit && auditable2cdx target/release/audit > target/release/audit.cdx.json

# What all images share. The base image has no shell and no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot AS base
ARG VERSION=0.1.0
LABEL org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
# Our licences, and those of the software in the binaries.
COPY LICENSE-APACHE LICENSE-MIT THIRD-PARTY-NOTICES.txt /usr/share/doc/kafka-pair/
# By number and not by name, because Kubernetes (`runAsNonRoot`) cannot tell whether a name is root.
USER 65532:65532

FROM base AS service
ENV HTTP_ADDR=0.0.0.0:8080
EXPOSE 8080

FROM service AS producer-svc
LABEL org.opencontainers.image.title="producer-svc" \
      org.opencontainers.image.description="Sends numbered, timestamped messages to a Kafka topic"
COPY --from=build /build/target/release/producer-svc.cdx.json /usr/share/doc/kafka-pair/sbom.cdx.json
COPY --from=build /build/target/release/producer-svc /usr/local/bin/producer-svc
ENTRYPOINT ["/usr/local/bin/producer-svc"]

FROM service AS consumer-svc
LABEL org.opencontainers.image.title="consumer-svc" \
      org.opencontainers.image.description="One replica of a consumer group that logs each message it receives"
COPY --from=build /build/target/release/consumer-svc.cdx.json /usr/share/doc/kafka-pair/sbom.cdx.json
COPY --from=build /build/target/release/consumer-svc /usr/local/bin/consumer-svc
ENTRYPOINT ["/usr/local/bin/consumer-svc"]

FROM base AS audit
LABEL org.opencontainers.image.title="audit" \
      org.opencontainers.image.description="Proves from the services' log lines what a consumer group received"
COPY --from=build-audit /build/target/release/audit.cdx.json /usr/share/doc/kafka-pair/sbom.cdx.json
COPY --from=build-audit /build/target/release/audit /usr/local/bin/audit
ENTRYPOINT ["/usr/local/bin/audit"]
