# shellcheck shell=bash
# A Citus cluster, for `tests/run --citus` only: a coordinator and two workers, which are PostgreSQL
# with the extension Citus. Needs postgres.sh.
#
# No distribution has packages of Citus, so it is built from its source, which takes some minutes. The
# source is the folder CITUS_SOURCE, a clone of its repository, if that is set.

readonly CITUS_VERSION=v13.2.2
readonly CITUS_REPOSITORY=https://github.com/citusdata/citus.git

# PostgreSQL with the files to build extensions, and Citus in it.
fetch_citus() {
  local major
  command -v git >/dev/null && command -v make >/dev/null && command -v cc >/dev/null ||
    fail "cannot build Citus: it needs git, make and a C compiler" "install them (Debian, Ubuntu: apt-get install git make gcc libc6-dev)"
  major=$(apt-cache -c "$1/apt.conf" depends postgresql | sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p')
  # The machine's own libc, as for the server.
  unpack_packages "$1" "$2" 'libc6.*' postgresql "postgresql-server-dev-$major" libpq-dev libssl-dev libkrb5-dev \
    liblz4-dev libzstd-dev
  get_citus_source "$1/source"
  build_citus "$1/source" "$2" "$2/usr/lib/postgresql/$major/bin/pg_config"
}

# get_citus_source DEST: makes the folder DEST with the source of the version.
get_citus_source() {
  git -c advice.detachedHead=false clone --quiet --depth 1 --branch "$CITUS_VERSION" \
    "${CITUS_SOURCE:-$CITUS_REPOSITORY}" "$1" >&2 ||
    fail "cannot get the source of Citus $CITUS_VERSION from ${CITUS_SOURCE:-$CITUS_REPOSITORY}" \
      "set CITUS_SOURCE to the folder of a clone of $CITUS_REPOSITORY"
}

# build_citus SOURCE TREE PG_CONFIG: builds Citus and installs it into the tree of PostgreSQL.
build_citus() {
  local libraries
  libraries=$(library_path "$2")
  note "building Citus $CITUS_VERSION, which takes some minutes"
  (
    cd "$1"
    export LD_LIBRARY_PATH=$libraries PG_CONFIG=$3
    export CFLAGS='-O1 -g0' CPPFLAGS="-I$2/usr/include" LDFLAGS="-L${libraries//:/ -L}"
    # It is up to date, whatever the times of a clone's files are.
    touch configure src/include/*.in
    # PostgreSQL 15 has had this function, too, since its later minor versions.
    sed -i '/^have_createdb_privilege(void)$/s/^/citus_/' src/include/pg_version_compat.h
    # Its statistics for its makers need libcurl.
    ./configure --quiet --without-libcurl
    # LLVM is not part of the tree.
    make --silent -j "$(nproc)" with_llvm=no
    make --silent install with_llvm=no
  ) >"$1/build.log" 2>&1 || fail "cannot build Citus $CITUS_VERSION" "$(tail -n 40 "$1/build.log")"
}

# serve_citus FOLDER PORT PASSWORD: becomes the node, with the data that FOLDER has.
serve_citus() {
  # shellcheck disable=SC2034 # `init_postgres` reads the port
  local folder=$1 port=$2 bin root
  root=$(tree citus)
  bin=$(echo "$root"/usr/lib/postgresql/*/bin)
  export LD_LIBRARY_PATH
  LD_LIBRARY_PATH=$(library_path "$root")
  # The nodes log in to each other.
  export PGPASSFILE=$folder/pgpass
  if [ ! -d "$folder/data" ]; then
    echo "*:*:*:*:$3" >"$PGPASSFILE"
    chmod 600 "$PGPASSFILE"
    init_postgres "$@"
    cat >>"$folder/data/postgresql.conf" <<CONF
shared_buffers = 64MB
shared_preload_libraries = 'citus'
max_prepared_transactions = 200
# Otherwise it makes itself certificates, of version 1.
citus.node_conninfo = 'sslmode=disable'
# Prepared transactions of a node that was killed are ended after so long.
citus.recover_2pc_interval = 2s
CONF
  fi
  unprivileged_exec "$bin/postgres" -D "$folder/data"
}

citus_is_ready() { postgres_is_ready "$@"; }

citus_url() { postgres_url "$@"; }

stop_citus() { stop_postgres "$1"; }
