# The image: the program, the certificates of the public authorities, and two folders. No shell.
#
#   docker build --tag cloudtrail2sql .
#   docker run --rm --volume "$PWD:/data" --user "$(id -u):$(id -g)" cloudtrail2sql import AWSLogs
#
# docs/install.md describes its use. `tests/run --image` builds it, runs it and checks its files;
# without a container engine it carries out these steps in a chroot (tests/image/), and knows only
# the instructions and the forms of them that are used here.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
COPY . .
# Static, so that the image needs no libraries; with glibc, so that it is the same C library, and the same
# allocator, as everywhere else. The target is named so that the flag applies to the program only, not to
# the macros of the build.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    target=$(rustc -vV | sed -n 's/^host: //p') && \
    RUSTFLAGS="-C target-feature=+crt-static" \
      cargo build --release --locked --bin cloudtrail2sql --target "$target" && \
    install -D "target/$target/release/cloudtrail2sql" /image/usr/local/bin/cloudtrail2sql
# S3 is reached over TLS, with the certificates of the system.
RUN install -D --mode=644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt && \
    install --directory --mode=1777 /image/tmp && \
    install --directory /own/data

FROM scratch
COPY --from=build /image/ /
# A new volume that is mounted at /data gets its owner.
COPY --from=build --chown=65532:65532 /own/ /
# The large temporary files of SQLite go where the database is, if that can be written.
ENV HOME=/home/nonroot SQLITE_TMPDIR=/data
WORKDIR /data
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/cloudtrail2sql"]
