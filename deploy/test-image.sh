#!/bin/bash
# Makes spar-test:latest, the small image that the tests of Docker sandboxes run in: Debian with bash, git, python3 (with
# pytest) and nodejs, built by debootstrap so that no image registry is needed. The file system is kept as a tarball
# outside of the checkout; the image is imported again only when the engine does not have it.
#
# Needs root (debootstrap makes device nodes) and a running Docker engine. DEBIAN_MIRROR and DEBIAN_SUITE override the source.
set -euo pipefail

cache=${SPAR_CACHE:-$HOME/.cache/spar-ci}
suite=${DEBIAN_SUITE:-bookworm}
mirror=${DEBIAN_MIRROR:-$(sed -nE 's/^(deb|URIs:) +(\[[^]]*\] +)?(https?:[^ ]+).*/\3/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v security | sed -n 1p || true)}
packages=bash,ca-certificates,coreutils,git,nodejs,procps,python3,python3-pytest
image=spar-test:latest
tarball=$cache/spar-test-$suite.tar.gz

if docker image inspect "$image" >/dev/null 2>&1; then
  echo "$image is there"
  exit 0
fi

if [ ! -s "$tarball" ]; then
  mkdir -p "$cache"
  work=$(mktemp -d)
  trap 'rm -rf --one-file-system "$work"' EXIT
  debootstrap --variant=minbase --include="$packages" "$suite" "$work/root" "${mirror:?Cannot tell where Debian packages come from: set DEBIAN_MIRROR}" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
  rm -rf "$work"/root/var/cache/apt/* "$work"/root/var/lib/apt/lists/* "$work"/root/usr/share/{doc,man,locale}
  mkdir -p "$work/root/testbed"
  tar -C "$work/root" --numeric-owner --exclude=./dev/* --exclude=./proc/* --exclude=./sys/* -czf "$tarball.$$" .
  mv "$tarball.$$" "$tarball"
fi

docker import --change 'ENV LANG=C.UTF-8' --change 'WORKDIR /testbed' --change 'CMD ["/bin/bash"]' "$tarball" "$image"
