# shellcheck shell=bash
# The image built and run by Docker or Podman.

# The engine's command.
ENGINE=
ENGINE_IMAGE=

# True if an engine runs; sets ENGINE.
engine_works() {
  for ENGINE in docker podman; do
    if command -v "$ENGINE" >/dev/null && "$ENGINE" info >/dev/null 2>&1; then return; fi
  done
  return 1
}

build_with_engine() {
  ENGINE_IMAGE=cloudtrail2sql-tests-$$
  # BuildKit has the cache folders of the Dockerfile; it is not the default of older engines.
  DOCKER_BUILDKIT=1 step "$ENGINE" build --tag "$ENGINE_IMAGE" . >&2
}

# Prints what the image holds, without what the engine adds to a container.
engine_files() {
  local container
  container=$("$ENGINE" create "$ENGINE_IMAGE")
  "$ENGINE" export "$container" >"$IMAGE_FOLDER/image.tar"
  "$ENGINE" rm "$container" >/dev/null
  mkdir "$IMAGE_FOLDER/image"
  tar -C "$IMAGE_FOLDER/image" -x --preserve-permissions --numeric-owner -f "$IMAGE_FOLDER/image.tar" \
    --exclude={./,}{.dockerenv,dev,proc,sys,run,etc/{hostname,hosts,mtab,resolv.conf}}
  # The root folder is not part of the archive.
  chmod 755 "$IMAGE_FOLDER/image"
  files_below "$IMAGE_FOLDER/image"
}

engine_user() { "$ENGINE" image inspect --format '{{.Config.User}}' "$ENGINE_IMAGE"; }

# run_with_engine [OPTION…] -- ARGS…
run_with_engine() {
  local options=()
  while [ "$1" != -- ]; do
    options+=("$1" "$2")
    shift 2
  done
  shift
  "$ENGINE" run --rm --read-only --network host "${options[@]}" "$ENGINE_IMAGE" "$@"
}

remove_with_engine() { "$ENGINE" image rm --force "$ENGINE_IMAGE" >/dev/null 2>&1 || true; }
