# shellcheck shell=bash
# The servers as containers of docker-compose.yml, in a project of their own.

COMPOSE_PROJECT=

docker_works() {
  command -v docker >/dev/null && docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1
}

compose() {
  docker compose --file "$HERE/../../docker-compose.yml" --project-name "$COMPOSE_PROJECT" --profile test "$@"
}

# start_containers PASSWORD NAME…: starts the servers and waits until they are healthy.
start_containers() {
  local password=$1
  shift
  COMPOSE_PROJECT=cloudtrail2sql-tests-$$
  note "starting $* with docker compose"
  # The service `s3` is for trying; its server wants keys of its own form.
  set -- "${@/#%s3/moto}"
  POSTGRES_PORT=${PORTS[postgres]:-} MYSQL_PORT=${PORTS[mysql]:-} MARIADB_PORT=${PORTS[mariadb]:-} MOTO_PORT=${PORTS[s3]:-} \
    POSTGRES_PASSWORD=$password MYSQL_ROOT_PASSWORD=$password MARIADB_ROOT_PASSWORD=$password \
    compose up --detach --wait --quiet-pull "$@" >&2 ||
    fail "docker compose could not start $*" "$(compose logs --tail 20 2>&1)"
}

stop_containers() {
  # In an EXIT trap a plain `return` passes on the code before the trap.
  if [ -z "$COMPOSE_PROJECT" ]; then return 0; fi
  compose down --volumes --timeout 1 >/dev/null 2>&1 || note "could not remove the containers of $COMPOSE_PROJECT"
  COMPOSE_PROJECT=
}
