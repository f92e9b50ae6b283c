# shellcheck shell=bash
# PostgreSQL, the version of the distribution.

fetch_postgres() {
  # libc6 stays out: the server starts other programs by their plain path, hence
  # with the machine's own dynamic linker, which fits the machine's own libc only.
  unpack_packages "$1" "$2" libc6 postgresql
}

# serve_postgres FOLDER PORT PASSWORD: becomes the server, with the data that FOLDER has.
serve_postgres() {
  local folder=$1 port=$2 bin root
  root=$(tree postgres)
  bin=$(echo "$root"/usr/lib/postgresql/*/bin)
  export LD_LIBRARY_PATH
  LD_LIBRARY_PATH=$(library_path "$root")
  if [ ! -d "$folder/data" ]; then init_postgres "$@"; fi
  unprivileged_exec "$bin/postgres" -D "$folder/data"
}

# init_postgres FOLDER PORT PASSWORD: makes the data folder. Sees the variables of `serve_postgres`.
init_postgres() {
  echo "$3" >"$folder/password"
  require_time_zones
  give_folder "$folder"
  unprivileged "$bin/initdb" -D "$folder/data" -U postgres -A scram-sha-256 --pwfile="$folder/password" \
    -E UTF8 --locale=C --no-sync
  cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder'
max_connections = 250
shared_buffers = 256MB
max_wal_size = 4GB
autovacuum = off
# LLVM is not part of the tree.
jit = off
fsync = $FLUSHES
synchronous_commit = $FLUSHES
full_page_writes = $FLUSHES
CONF
}

# PostgreSQL's package reads the machine's time zones from a path built into it, and
# sqlx asks each connection for `UTC`. Small containers come without them.
require_time_zones() {
  if [ -e /usr/share/zoneinfo/UTC ]; then return; fi
  if [ "$(id -u)" = 0 ]; then
    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends tzdata
  else
    fail "PostgreSQL finds no time zones in /usr/share/zoneinfo" "install the package tzdata"
  fi
}

# The last line of the pid file says `ready` once connections are taken.
postgres_is_ready() { grep -q '^ready' "$1/data/postmaster.pid" 2>/dev/null; }

postgres_url() { echo "postgres://postgres:$2@127.0.0.1:$1/"; }

# SIGQUIT is its immediate shutdown: the server ends its children, too.
stop_postgres() { kill -s QUIT -- "-$1"; }
