# shellcheck shell=bash
# MariaDB, the version of the distribution. Needs mysql.sh.

fetch_mariadb() {
  # As for PostgreSQL: `mariadb-install-db` is a script that starts the server.
  unpack_packages "$1" "$2" libc6 mariadb-server-core mariadb-client-core
}

# serve_mariadb FOLDER PORT PASSWORD: becomes the server, with the data that FOLDER has.
serve_mariadb() {
  local folder=$1 root
  root=$(tree mariadb)
  export LD_LIBRARY_PATH
  LD_LIBRARY_PATH=$(library_path "$root")
  mysql_options "$folder" "$2"
  root_account_sql "$3" >"$folder/init.sql"
  give_folder "$folder"
  if [ ! -d "$folder/data" ]; then
    unprivileged "$root/usr/bin/mariadb-install-db" --no-defaults --basedir="$root/usr" --datadir="$folder/data" \
      --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve --innodb-log-file-size=32M
  fi
  unprivileged_exec "$root/usr/sbin/mariadbd" --no-defaults --basedir="$root/usr" --datadir="$folder/data" \
    --plugin-dir="$root/usr/lib/mysql/plugin" --innodb-log-file-size=256M "${STORAGE_OPTIONS[@]}" "${SERVER_OPTIONS[@]}" \
    --init-file="$folder/init.sql"
}

mariadb_is_ready() { mysql_is_ready "$1"; }

mariadb_url() { mysql_url "$@"; }

stop_mariadb() { stop_mysql "$1"; }
