# shellcheck shell=bash
# A Galera cluster: three nodes of MariaDB, each of which accepts writes. Needs mariadb.sh.

fetch_galera() {
  # The plugin that MariaDB loads. The server itself is the tree `mariadb`.
  unpack_packages "$1" "$2" libc6 galera-4
}

# serve_galera FOLDER PORT PASSWORD NAME: becomes the node, with the data that FOLDER has.
serve_galera() {
  local folder=$1 port=$2 name=$4 root peers=${PORTS[$4-peers]} is_new='' position server
  root=$(tree mariadb)
  export LD_LIBRARY_PATH
  LD_LIBRARY_PATH=$(library_path "$root"):$(library_path "$(tree galera)")
  mysql_options "$folder" "$port"
  STORAGE_OPTIONS=("${STORAGE_OPTIONS[@]/#--innodb-buffer-pool-size=*/--innodb-buffer-pool-size=128M}")
  server=("$root/usr/sbin/mariadbd" --no-defaults --basedir="$root/usr" --datadir="$folder/data"
    --plugin-dir="$root/usr/lib/mysql/plugin" --innodb-log-file-size=64M "${STORAGE_OPTIONS[@]}" "${SERVER_OPTIONS[@]}")
  {
    root_account_sql "$3"
    echo "SHUTDOWN;"
  } >"$folder/init.sql"
  give_folder "$folder"
  make_transfers
  if [ ! -d "$folder/data" ]; then
    is_new=yes
    unprivileged "$root/usr/bin/mariadb-install-db" --no-defaults --basedir="$root/usr" --datadir="$folder/data" \
      --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve --innodb-log-file-size=64M
    # Before the node joins, as accounts are replicated.
    unprivileged "${server[@]}" --init-file="$folder/init.sql"
  fi
  server+=(--binlog-format=ROW --innodb-autoinc-lock-mode=2 --wsrep-on=ON --wsrep-cluster-name=tests
    --wsrep-provider="$(tree galera)/usr/lib/galera/libgalera_smm.so"
    --wsrep-cluster-address="gcomm://$(peer_addresses galera)" --wsrep-node-name="$name"
    --wsrep-node-address="127.0.0.1:$peers" --wsrep-node-incoming-address="127.0.0.1:$port"
    --wsrep-sst-method=cp --wsrep-sst-receive-address="127.0.0.1:${PORTS[$name-transfer]}"
    --wsrep-provider-options="gmcast.listen_addr=tcp://127.0.0.1:$peers;ist.recv_addr=127.0.0.1:${PORTS[$name-catch-up]};gcache.size=64M;pc.recovery=FALSE;evs.suspect_timeout=PT3S;evs.inactive_timeout=PT6S")
  if [ -z "$is_new" ]; then
    position=$(unprivileged "${server[@]}" --wsrep-recover 2>&1 | sed -n 's/.*WSREP: Recovered position: *//p' | tail -n 1)
    server+=(--wsrep-start-position="$position")
  elif [ "$name" = galera-1 ]; then
    server+=(--wsrep-new-cluster)
  fi
  unprivileged_exec env TRANSFERS="$FOLDER/galera-transfers" PATH="$FOLDER/galera-transfers:$PATH" "${server[@]}"
}

# Makes the folder for the script that hands over from one node to another: the server looks for it
# in PATH.
make_transfers() {
  local folder=$FOLDER/galera-transfers
  if [ -d "$folder" ]; then return 0; fi
  mkdir "$folder"
  cp "$HERE/wsrep_sst_cp" "$folder"
  give_folder "$folder"
}

galera_is_ready() { grep -q 'Synchronized with group, ready for connections' "$1/log" 2>/dev/null; }

galera_url() { mysql_url "$@"; }

stop_galera() { stop_mysql "$1"; }
