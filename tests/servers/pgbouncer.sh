# shellcheck shell=bash
# PgBouncer, a connection pooler for PostgreSQL. The tests start it with the settings that they need.

fetch_pgbouncer() {
  # Prepared statements in a pool came with 1.21, which Debian 12 does not have.
  if [ "$OS_ID" = debian ]; then use_debian_unstable "$1"; fi
  unpack_packages "$1" "$2" none pgbouncer
}

# Exports TEST_PGBOUNCER: a script that becomes the pooler, as a user without rights.
export_pgbouncer() {
  if [ -n "${TEST_PGBOUNCER:-}" ]; then return; fi
  local root linker drop=''
  check_distribution
  make_folder
  fetch_tree pgbouncer
  root=$(tree pgbouncer)
  linker=$(own_linker "$root")
  # It refuses to run as root.
  if [ "$(id -u)" = 0 ]; then drop="--reuid=nobody --regid=$(id -g nobody) --clear-groups"; fi
  export TEST_PGBOUNCER=$FOLDER/pgbouncer
  cat >"$TEST_PGBOUNCER" <<SCRIPT
#!/bin/sh
exec setpriv $drop --pdeathsig KILL -- '$linker' --library-path '$(library_path "$root")' '$root/usr/sbin/pgbouncer' "\$@"
SCRIPT
  chmod 755 "$TEST_PGBOUNCER"
}
