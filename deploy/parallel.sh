#!/bin/sh
# Imports with several processes on this machine, then builds the indexes:
#
#   deploy/parallel.sh 4 s3://acme-trail/
#
# The arguments after the number are the sources and further options of `import`. Needs GNU parallel, which
# starts a process again that failed. See docs/workers.md.
set -eu

count=$1
shift
job=$(date -u +%Y-%m-%dT%H:%M:%SZ)
seq "$count" | parallel --quote --jobs "$count" --retries 3 --line-buffer --tag \
  cloudtrail2sql import --shard "{}/$count" --job "$job" --exit-zero-on-losses "$@"
cloudtrail2sql index
