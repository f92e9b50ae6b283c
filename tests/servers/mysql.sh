# shellcheck shell=bash
# Real MySQL, and what it has in common with MariaDB.

fetch_mysql() {
  local package
  package=$(mysql_package "$1")
  # Debian's stable releases have no MySQL; its unstable has. Those binaries want
  # a newer libc, so this tree keeps its own, with the dynamic linker.
  if [ -z "$package" ]; then
    use_debian_unstable "$1"
    package=mysql-server-core
  fi
  unpack_packages "$1" "$2" none "$package"
}

# Prints the package of the machine's own release, if it has one. Ubuntu's has the
# version in its name: mysql-server-core-8.0.
mysql_package() {
  apt-cache -c "$1/apt.conf" search --names-only '^mysql-server-core' | awk '{ print $1 }' | sort -V | tail -n 1
}

# serve_mysql FOLDER PORT PASSWORD: becomes the server, with the data that FOLDER has.
serve_mysql() {
  local folder=$1 server=()
  mysql_server "$folder"
  mysql_options "$folder" "$2"
  root_account_sql "$3" >"$folder/init.sql"
  give_folder "$folder"
  if [ ! -d "$folder/data" ]; then unprivileged "${server[@]}" "${STORAGE_OPTIONS[@]}" --initialize-insecure; fi
  unprivileged_exec "${server[@]}" "${STORAGE_OPTIONS[@]}" "${SERVER_OPTIONS[@]}" --init-file="$folder/init.sql" --mysqlx=OFF
}

# mysql_server FOLDER: sets `server`, a variable of the caller, to the command that is MySQL.
mysql_server() {
  local root
  root=$(tree mysql)
  server=("$(own_linker "$root")" --library-path "$(library_path "$root")" "$root/usr/sbin/mysqld"
    --no-defaults --basedir="$root/usr" --datadir="$1/data" --plugin-dir="$root/usr/lib/mysql/plugin"
    --lc-messages-dir="$root/usr/share/mysql" --character-sets-dir="$root/usr/share/mysql/charsets"
    --innodb-redo-log-capacity=256M)
}

# mysql_options FOLDER PORT: sets the options MySQL and MariaDB share.
mysql_options() {
  STORAGE_OPTIONS=(--innodb-buffer-pool-size=512M --performance-schema=OFF --skip-log-bin)
  if ! "$FLUSHES"; then
    STORAGE_OPTIONS+=(--innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=OFF --innodb-flush-method=nosync)
  fi
  # An empty `secure-file-priv` lets the benchmark load files from any folder.
  SERVER_OPTIONS=(--bind-address=127.0.0.1 --port="$2" --socket="$1/socket" --pid-file="$1/pid"
    --max-connections=250 --skip-name-resolve --local-infile=ON --secure-file-priv=)
}

# root_account_sql PASSWORD: prints the statements that give root a password and let
# it in over TCP: to a server that resolves no names, 127.0.0.1 is not `localhost`.
root_account_sql() {
  echo "CREATE USER IF NOT EXISTS root@'127.0.0.1';"
  echo "ALTER USER root@'127.0.0.1' IDENTIFIED BY '$1', root@localhost IDENTIFIED BY '$1';"
  echo "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;"
}

# Said only after `init.sql` is done.
mysql_is_ready() { grep -q 'ready for connections' "$1/log" 2>/dev/null; }

mysql_url() { echo "mysql://root:$2@127.0.0.1:$1/"; }

# An orderly stop takes seconds, for data that is thrown away.
stop_mysql() { kill -s KILL -- "-$1"; }
