# Recipes for contributors (https://just.systems). Each is a short command that also works by itself.

# List the recipes
default:
    @just --list

# Unit and integration tests that need only Rust; arguments go to cargo test
test *ARGS:
    cargo test {{ ARGS }}

# The tests, then the ones that need other readers, object stores, redis-server, strace, Chromium, …
test-all: test
    cargo test --test it --test skipped -- --ignored --skip slow::

# The tests that take many minutes (arguments: --skip spark, which fetches gigabytes)
test-slow *ARGS:
    cargo test --test it -- --ignored slow:: {{ ARGS }}

# Regenerate docs/tables.md, the settings in docs/job-file.md, and schemas/json
docs:
    cargo test --lib -- --ignored write_the_

# Rewrite the snapshots of help, settings, messages and the demo; look at the diff
snapshots:
    INSTA_UPDATE=always cargo test --lib
    INSTA_UPDATE=always cargo test --test it -- demo:: planned::

# Formatting, lints, API documentation
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --all-targets --no-default-features -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

# The hot path in parts, in MB/s; then the whole program beside its peers (arguments: --tiny, --ledger, …)
bench *ARGS:
    cargo bench --bench micro
    benches/compare/run {{ ARGS }}

# Run the fuzz targets for so many minutes each (needs cargo-fuzz)
fuzz MINUTES="10" *TARGETS:
    fuzz/run {{ MINUTES }} {{ TARGETS }}

# Everything that CI checks; installs what it needs
gate:
    .ci/run

# Build a release: tarball with bill of materials and checksums, wheel, .deb, OCI image
dist *ARGS:
    packaging/build {{ ARGS }}

# Install each package of `just dist` where nothing else is, and run the demo from it (as root)
dist-test *ARGS:
    packaging/test {{ ARGS }}
