# shellcheck shell=bash
# Starts the servers the tests need and stops them again.
#
# A server whose variable (`TEST_POSTGRES_URL`, `TEST_MYSQL_URL`, `TEST_MARIADB_URL`,
# `TEST_S3_URL`) is set already is the user's own: it is used as it is. The others come from
# Docker where an engine runs, else from the distribution's packages. All data is
# in a temporary folder; only processes started here are ever ended.

if ((BASH_VERSINFO[0] < 4)); then
  echo "error: tests/run needs bash 4 or newer, this is $BASH_VERSION" >&2
  exit 1
fi

HERE=$(dirname "${BASH_SOURCE[0]}")
readonly SERVERS=(postgres mysql mariadb s3)
# Clusters, for `tests/run --clusters` only.
readonly CLUSTERS=(galera group)
readonly CLUSTER_NODES=(1 2 3)
for part in packages "${SERVERS[@]}" "${CLUSTERS[@]}" citus pgbouncer slurm spark mandoc docker browser awscli; do
  # shellcheck source=/dev/null
  source "$HERE/$part.sh"
done

readonly START_SECONDS_MAX=60
# A download may take longer than a start.
readonly FETCH_SECONDS_MAX=900

# Whether commits are flushed to the disk, as servers do in earnest. What the tests load is thrown
# away, so it need not survive a power cut; benchmarks set this.
# shellcheck disable=SC2034 # the servers' own scripts read it
FLUSHES=false

FOLDER=
PASSWORD=
declare -A PIDS=() PORTS=()

note() { echo "tests/run: $*" >&2; }

# fail WHAT [DETAIL]: says so and ends this shell.
fail() {
  echo "error: $1" >&2
  if [ -n "${2:-}" ]; then echo "$2" >&2; fi
  exit 1
}

url_variable() { echo "TEST_${1^^}_URL"; }

# start_servers NAME…: starts those of the servers that are not given, and exports all URLs.
start_servers() {
  local name variable wanted=()
  for name in "$@"; do
    variable=$(url_variable "$name")
    if [ -z "${!variable:-}" ]; then wanted+=("$name"); fi
  done
  if [ ${#wanted[@]} = 0 ]; then return; fi
  make_password
  for name in "${wanted[@]}"; do pick_port "$name"; done
  if docker_works; then
    start_containers "$PASSWORD" "${wanted[@]}"
  else
    check_distribution
    start_processes "${wanted[@]}"
  fi
  for name in "${wanted[@]}"; do
    variable=$(url_variable "$name")
    export "$variable=$("${name}_url" "${PORTS[$name]}" "$PASSWORD")"
  done
}

# Others on this machine can reach the ports, so the password is a new one each time.
make_password() {
  if [ -z "$PASSWORD" ]; then PASSWORD=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n'); fi
}

# start_clusters NAME…: starts those of the clusters that are not given, and exports the URLs of
# their nodes, separated by spaces.
start_clusters() {
  local name node variable urls nodes=()
  make_password
  for name in "$@"; do
    variable=TEST_${name^^}_URLS
    if [ -n "${!variable:-}" ]; then continue; fi
    check_distribution
    make_folder
    # A tree of its own, besides that of the cluster's plugin.
    if [ "$name" = galera ]; then fetch_tree mariadb; fi
    # It is built, for longer than a start may take.
    if [ "$name" = citus ]; then fetch_tree citus; fi
    for node in "${CLUSTER_NODES[@]}"; do
      nodes+=("$name-$node")
      pick_port "$name-$node"
      pick_port "$name-$node-peers"
      pick_port "$name-$node-transfer"
      pick_port "$name-$node-catch-up"
    done
  done
  # The first node makes the cluster, which the others join.
  for name in "${nodes[@]}"; do if [[ $name == *-1 ]]; then start_process "$name"; fi; done
  for name in "${nodes[@]}"; do if [[ $name == *-1 ]]; then wait_for "$name"; fi; done
  for name in "${nodes[@]}"; do if [[ $name != *-1 ]]; then start_process "$name"; fi; done
  for name in "${nodes[@]}"; do if [[ $name != *-1 ]]; then wait_for "$name"; fi; done
  for name in "$@"; do
    variable=TEST_${name^^}_URLS
    if [ -n "${!variable:-}" ]; then continue; fi
    urls=
    for node in "${CLUSTER_NODES[@]}"; do
      urls+=${urls:+ }$("${name}_url" "${PORTS[$name-$node]}" "$PASSWORD")
    done
    export "$variable=$urls"
  done
}

# peer_addresses NAME: prints where the nodes of a cluster reach each other.
peer_addresses() {
  local node addresses=
  for node in "${CLUSTER_NODES[@]}"; do addresses+=${addresses:+,}127.0.0.1:${PORTS[$1-$node-peers]}; done
  echo "$addresses"
}

# pick_port NAME: sets PORTS[NAME] to a free port, below the range
# that the kernel gives to outgoing connections.
pick_port() {
  local port
  while true; do
    port=$((20000 + RANDOM % 12000))
    if [[ " ${PORTS[*]} " == *" $port "* ]]; then continue; fi
    if ! (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  done
  PORTS[$1]=$port
}

# start_processes NAME…: starts the servers side by side and waits for all.
start_processes() {
  local name
  make_folder
  for name in "$@"; do start_process "$name"; done
  for name in "$@"; do wait_for "$name"; done
}

# Makes the folder of the servers' data.
make_folder() {
  if [ -n "$FOLDER" ]; then return 0; fi
  # Not below TMPDIR: a socket's path has at most 107 bytes.
  FOLDER=$(mktemp -d /tmp/cloudtrail2sql-tests.XXXXXX)
  chmod 755 "$FOLDER"
}

# kind_of NAME: prints what kind of server it is, or of which cluster it is a node.
kind_of() {
  case $1 in
    *-[0-9]) echo "${1%-*}" ;;
    *) echo "$1" ;;
  esac
}

# start_process NAME: starts one server in the background.
start_process() {
  local name=$1
  mkdir -p "$FOLDER/$name"
  # With job control each server is a process group of its own: Ctrl-C reaches it
  # through our cleanup only, and one that is still being fetched ends as a whole.
  set -m
  (
    umask 022
    # Not joined by `&&`, which would switch `set -e` off in both.
    fetch_tree "$name"
    "serve_$(kind_of "$name")" "$FOLDER/$name" "${PORTS[$name]}" "$PASSWORD" "$name" >"$FOLDER/$name/log" 2>&1
  ) &
  PIDS[$name]=$!
  set +m
}

# wait_for NAME: returns when the server takes connections.
#
# One that ends before that is started once more, in a new folder and on another
# port: on a busy machine a port may be taken meanwhile, and MariaDB's own set-up
# was seen to fail once.
wait_for() {
  local name=$1 seconds_max=$START_SECONDS_MAX deadline is_again=
  if [ ! -d "$(tree "$name")" ]; then seconds_max=$FETCH_SECONDS_MAX; fi
  deadline=$((SECONDS + seconds_max))
  until "$(kind_of "$name")_is_ready" "$FOLDER/$name"; do
    if ! kill -0 "${PIDS[$name]}" 2>/dev/null; then
      if [ -n "$is_again" ]; then
        fail "$name did not start" "$(tail -n 60 "$FOLDER/$name/log" 2>/dev/null)"
      fi
      note "$name did not start; trying once more"
      is_again=yes
      mv "$FOLDER/$name" "$FOLDER/$name-first"
      pick_port "$name"
      start_process "$name"
    fi
    if ((SECONDS > deadline)); then
      fail "$name is not ready after $seconds_max seconds" "$(tail -n 20 "$FOLDER/$name/log" 2>/dev/null)"
    fi
    sleep 0.05
  done
}

# carry_out_faults REQUESTS: carries out the faults for which there are files in the folder REQUESTS. A
# file NAME kills the server NAME, and starts it again after the seconds that the file holds;
# a file NAME.pause stops it for so long. Then the file is removed.
carry_out_faults() {
  local request name seconds
  for request in "$1"/*; do
    if [ ! -e "$request" ]; then continue; fi
    name=${request##*/}
    seconds=$(cat "$request")
    case $name in
      *.pause) pause_server "${name%.pause}" "$seconds" ;;
      *) crash_server "$name" "$seconds" ;;
    esac
    rm "$request"
  done
}

# pause_server NAME SECONDS: stops a server, and lets it go on.
pause_server() {
  kill -s STOP -- "-${PIDS[$1]}"
  sleep "$2"
  kill -s CONT -- "-${PIDS[$1]}"
}

# crash_server NAME SECONDS: kills a server, and starts it again.
crash_server() {
  {
    "stop_$(kind_of "$1")" "${PIDS[$1]}" || true
    wait "${PIDS[$1]}" || true
  } 2>/dev/null
  sleep "$2"
  # The log says of the old process that it is ready.
  rm -f "$FOLDER/$1/log"
  start_process "$1"
  wait_until_ready "$1"
}

# wait_until_ready NAME: returns when a server with data takes connections.
wait_until_ready() {
  local deadline=$((SECONDS + START_SECONDS_MAX))
  until "$(kind_of "$1")_is_ready" "$FOLDER/$1"; do
    if ! kill -0 "${PIDS[$1]}" 2>/dev/null || ((SECONDS > deadline)); then
      fail "$1 did not start again" "$(tail -n 60 "$FOLDER/$1/log" 2>/dev/null)"
    fi
    sleep 0.05
  done
}

# True while no server started here has ended.
servers_run() {
  local pid
  for pid in "${PIDS[@]}"; do kill -0 "$pid" 2>/dev/null || return; done
}

# Ends what was started, and nothing else.
stop_servers() {
  stop_containers
  # Bash would report each killed process.
  stop_processes 2>/dev/null
  if [ -n "$FOLDER" ]; then rm -rf "$FOLDER"; fi
  FOLDER=
}

stop_processes() {
  local name
  for name in "${!PIDS[@]}"; do
    # In `kill` a minus sign before the id means the process group.
    if [ -d "$(tree "$name")" ]; then
      "stop_$(kind_of "$name")" "${PIDS[$name]}" || true
    else
      # Still being fetched: SIGTERM lets it remove what it has so far.
      kill -s TERM -- "-${PIDS[$name]}" || true
    fi
  done
  for name in "${!PIDS[@]}"; do wait "${PIDS[$name]}" || true; done
  PIDS=()
}

# give_folder FOLDER: gives it to the user the server runs as.
give_folder() {
  chmod 700 "$1"
  if [ "$(id -u)" = 0 ]; then chown -R "nobody:$(id -g nobody)" "$1"; fi
}

# unprivileged COMMAND…: runs it as a user without rights. The servers refuse root,
# and on a fresh machine no `postgres` or `mysql` user exists.
unprivileged() { (unprivileged_exec "$@"); }

unprivileged_exec() {
  local drop=()
  if [ "$(id -u)" = 0 ]; then drop=(--reuid=nobody --regid="$(id -g nobody)" --clear-groups); fi
  # The kernel ends the server should this script be killed without its cleanup.
  exec setpriv "${drop[@]}" --pdeathsig QUIT -- env HOME=/nonexistent "$@"
}
