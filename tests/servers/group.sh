# shellcheck shell=bash
# MySQL Group Replication: three nodes, of which the first accepts writes. Needs mysql.sh.

# serve_group FOLDER PORT PASSWORD NAME: becomes the node, with the data that FOLDER has.
serve_group() {
  local folder=$1 name=$4 server
  server=()
  mysql_server "$folder"
  mysql_options "$folder" "$2"
  STORAGE_OPTIONS=("${STORAGE_OPTIONS[@]/#--innodb-buffer-pool-size=*/--innodb-buffer-pool-size=128M}")
  # The group has tables of its state there, and sends what the binary log has.
  STORAGE_OPTIONS=("${STORAGE_OPTIONS[@]/#--performance-schema=OFF/--performance-schema=ON}")
  STORAGE_OPTIONS=("${STORAGE_OPTIONS[@]/#--skip-log-bin/--log-bin=binlog}")
  SERVER_OPTIONS+=(--mysqlx=OFF --server-id="${name#group-}" --gtid-mode=ON --enforce-gtid-consistency=ON
    --loose-group-replication-member-expel-timeout=0 --report-host=127.0.0.1 --report-port="$2" --plugin-load-add=group_replication.so
    --loose-group-replication-group-name=5c7a6e3e-0f0b-4c55-9d59-6d1f3f2f7a10
    --loose-group-replication-local-address="127.0.0.1:${PORTS[$name-peers]}"
    --loose-group-replication-group-seeds="$(peer_addresses group)"
    --loose-group-replication-recovery-get-public-key=ON)
  {
    # Each node makes its accounts before it joins.
    echo "SET sql_log_bin = 0;"
    root_account_sql "$3"
    echo "CREATE USER replicator@'%' IDENTIFIED BY '$3';"
    echo "GRANT REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN, GROUP_REPLICATION_STREAM ON *.* TO replicator@'%';"
    echo "CHANGE REPLICATION SOURCE TO SOURCE_USER = 'replicator', SOURCE_PASSWORD = '$3' FOR CHANNEL 'group_replication_recovery';"
    echo "SHUTDOWN;"
  } >"$folder/init.sql"
  give_folder "$folder"
  if [ ! -d "$folder/data" ]; then
    unprivileged "${server[@]}" "${STORAGE_OPTIONS[@]}" --initialize-insecure
    unprivileged "${server[@]}" "${STORAGE_OPTIONS[@]}" "${SERVER_OPTIONS[@]}" \
      --init-file="$folder/init.sql" --loose-group-replication-start-on-boot=OFF
    if [ "$name" = group-1 ]; then SERVER_OPTIONS+=(--loose-group-replication-bootstrap-group=ON); fi
  fi
  unprivileged_exec "${server[@]}" "${STORAGE_OPTIONS[@]}" "${SERVER_OPTIONS[@]}" --loose-group-replication-start-on-boot=ON
}

group_is_ready() { grep -q 'was declared online within the replication group' "$1/log" 2>/dev/null; }

group_url() { mysql_url "$@"; }

stop_group() { stop_mysql "$1"; }
