#!/usr/bin/env bash
# Installs an S3-compatible server that checks signatures, for spec/tests/s3.rs, into target/s3-server.
#
#   tests/tools/s3-server.sh              installs it, once; then `cargo test -p spec --features io --test s3` uses it
#   OPENDIPACO_S3_SERVER=PROGRAM          names another build of it (s3s-fs) instead
#
# To start one by hand: target/s3-server/bin/s3s-fs --port 9000 --access-key KEY --secret-key SECRET FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."

version=0.14.1
root="$PWD/target/s3-server"
if [ -x "$root/bin/s3s-fs" ] && "$root/bin/s3s-fs" --version | grep -qF "$version"; then
  echo "s3s-fs $version is in target/s3-server"
  exit 0
fi
# Its own target folder: it shares nothing with ours, and goes away when it is built.
cargo install s3s-fs --version "$version" --locked --features binary --root "$root" --target-dir "$root/build"
rm -rf "$root/build"
echo "s3s-fs $version is in target/s3-server"
