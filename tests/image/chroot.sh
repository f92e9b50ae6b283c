# shellcheck shell=bash
# The steps of the Dockerfile without a container engine: a small interpreter of its instructions.
#
# This machine stands in for the base image of the first stage: its root is the lower layer of an overlay,
# so that the steps see its compiler and its certificates and change nothing. A stage `FROM scratch` is an
# empty folder. A container is an overlay on that folder, as an engine makes one.
#
# An instruction, an option or a form that is not known here fails the build.

# The trees of the stages, by name.
declare -A STAGES=()
# What the last stage says about its containers.
declare -A IMAGE=([env]='' [workdir]=/ [user]=0:0 [entrypoint]='')
STAGE=
CHROOT_FOLDER=

chroot_works() {
  [ "$(id -u)" = 0 ] || fail "cannot build the image: no Docker or Podman runs here, and only root may make a chroot"
  grep -qw overlay /proc/filesystems || fail "cannot build the image: no Docker or Podman runs here, and the kernel has no overlays"
}

build_with_chroot() {
  local name args
  CHROOT_FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/cloudtrail2sql-chroot.XXXXXX")
  # The upper layer of an overlay may not be below its lower one, which is this machine's root.
  mount -t tmpfs -o mode=755 tmpfs "$CHROOT_FOLDER"
  mkdir "$CHROOT_FOLDER/container"
  note "no container engine runs here: carrying out the Dockerfile's steps in a chroot, with this machine's Rust"
  while read -r name args; do instruction "$name" "$args" </dev/null; done < <(instructions)
}

# Prints the Dockerfile with one instruction a line.
instructions() { sed -e '/^ *#/d' -e '/^ *$/d' Dockerfile | sed -e ':a' -e '/\\$/{N;s/ *\\\n */ /;ba' -e '}'; }

# instruction NAME ARGS: carries out one instruction.
instruction() {
  note "Dockerfile: $1 $2"
  case $1 in
    FROM) start_stage "$2" ;;
    WORKDIR)
      IMAGE[workdir]=$2
      mkdir -p "$STAGE$2"
      ;;
    COPY) copy "$2" ;;
    RUN) run_step "$2" ;;
    ENV) IMAGE[env]+=" $2" ;;
    USER) IMAGE[user]=$2 ;;
    # Of the form `["PROGRAM"]`.
    ENTRYPOINT)
      [[ $2 =~ ^\[\"([^\"]+)\"\]$ ]] || fail "cannot carry out ENTRYPOINT $2"
      IMAGE[entrypoint]=${BASH_REMATCH[1]}
      ;;
    *) fail "cannot carry out the instruction $1 of the Dockerfile" ;;
  esac
}

# start_stage `IMAGE [AS NAME]`
start_stage() {
  local name=${1##* } number=${#STAGES[@]}
  IMAGE=([env]='' [workdir]=/ [user]=0:0 [entrypoint]='')
  STAGE=$CHROOT_FOLDER/stage-$number
  mkdir -m 755 "$STAGE"
  if [[ $1 != scratch* ]]; then
    mkdir "$STAGE.upper" "$STAGE.work"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$STAGE.upper,workdir=$STAGE.work" "$STAGE"
  fi
  STAGES[$name]=$STAGE
}

# copy `[--from=STAGE] [--chown=OWNER] SOURCE DESTINATION`, of which the source is `.` or a folder.
copy() {
  local from='' owner=0:0 words
  read -ra words <<<"$1"
  while [[ ${words[0]} == --* ]]; do
    case ${words[0]} in
      --from=*) from=${STAGES[${words[0]#*=}]} ;;
      --chown=*) owner=${words[0]#*=} ;;
      *) fail "cannot carry out COPY $1" ;;
    esac
    words=("${words[@]:1}")
  done
  local source=${words[0]} destination=${words[1]}
  if [ -n "$from" ] && [[ $source == /*/ && $destination == / ]]; then
    tar -C "$from$source" -c . --owner="${owner%:*}" --group="${owner#*:}" --numeric-owner |
      tar -C "$STAGE" -x --preserve-permissions --same-owner --numeric-owner --no-overwrite-dir
  elif [ -z "$from" ] && [ "$source $destination" = '. .' ]; then
    copy_context "$STAGE${IMAGE[workdir]}"
  else
    fail "cannot carry out COPY $1"
  fi
}

# copy_context FOLDER: copies what .dockerignore lets in. It excludes all, then lets files in by name.
copy_context() {
  local lines=() names=() line
  mapfile -t lines < <(grep -v '^#' .dockerignore)
  [ "${lines[0]}" = '*' ] || fail "cannot read .dockerignore: its first line is not \`*\`"
  for line in "${lines[@]:1}"; do
    [[ $line =~ ^![A-Za-z0-9._-]+$ ]] || fail "cannot read the line $line of .dockerignore"
    names+=("${line#!}")
  done
  cp -R -- "${names[@]}" "$1"
}

# run_step `[--mount=type=cache,target=FOLDER…] COMMAND`: runs a command in the stage. The cache folders
# are kept for the next run.
run_step() {
  local command=$1 mounts=() target
  while [[ $command =~ ^--mount=type=cache,target=([^ ]+)\ (.*)$ ]]; do
    target=${BASH_REMATCH[1]} command=${BASH_REMATCH[2]}
    mounts+=("$CACHE/image$target" "$STAGE$target")
  done
  [[ $command != --* ]] || fail "cannot carry out RUN $1"
  # What cargo has downloaded on this machine is used, too.
  target=${CARGO_HOME:-$HOME/.cargo}/registry
  if [ -d "$target" ]; then mounts+=("$target" "$STAGE$target"); fi
  # shellcheck disable=SC2016 # the inner shell expands them
  unshare --mount --fork --kill-child bash -euc '
    stage=$1 folder=$2 command=$3
    shift 3
    while [ $# != 0 ]; do
      mkdir -p "$1" "$2"
      mount --bind "$1" "$2"
      shift 2
    done
    mount --rbind /dev "$stage/dev"
    mount -t proc proc "$stage/proc"
    exec env -u CARGO_TARGET_DIR -u RUSTFLAGS unshare --root="$stage" --wd="$folder" sh -c "$command"
  ' - "$STAGE" "${IMAGE[workdir]}" "$command" "${mounts[@]}" >&2 || fail "a step of the Dockerfile failed: RUN $1"
}

# files_below FOLDER: prints what the folder holds.
files_below() { (cd "$1" && find . -printf '%y %04m %U:%G /%P\n' | LC_ALL=C sort -k 4); }

chroot_files() { files_below "$STAGE"; }

chroot_user() { echo "${IMAGE[user]}"; }

# run_with_chroot [OPTION…] -- ARGS…: runs the program on an overlay of the image that is mounted read-only.
run_with_chroot() {
  local volumes=() variables=() user=${IMAGE[user]} container=$CHROOT_FOLDER/container
  read -ra variables <<<"PATH=/usr/local/bin:/usr/bin:/bin ${IMAGE[env]}"
  while [ "$1" != -- ]; do
    case $1 in
      --volume) volumes+=("$2") ;;
      --env) variables+=("$2") ;;
      --user) user=$2 ;;
      *) fail "cannot run the image with $1" ;;
    esac
    shift 2
  done
  shift
  # shellcheck disable=SC2016 # the inner shell expands them
  unshare --mount --fork --kill-child bash -euc '
    image=$1 container=$2 volumes=$3
    shift 3
    mount -t tmpfs tmpfs "$container"
    root=$container/root
    mkdir "$container"/{upper,work,root}
    mount -t overlay overlay -o "lowerdir=$image,upperdir=$container/upper,workdir=$container/work" "$root"
    mkdir "$root/dev" "$root/proc"
    for file in dev/{null,zero,full,random,urandom} etc/{hosts,resolv.conf}; do
      : >"$root/$file"
      mount --bind "/$file" "$root/$file"
    done
    mount -t proc proc "$root/proc"
    for volume in $volumes; do
      IFS=: read -r source target options <<<"$volume"
      # An engine makes the folder, too.
      if [ -d "$source" ]; then mkdir -p "$root$target"; fi
      mount --bind "$source" "$root$target"
      if [ "$options" = ro ]; then mount -o remount,bind,ro "$root$target"; fi
    done
    mount -o remount,ro "$root"
    exec "$@"
  ' - "$STAGE" "$container" "${volumes[*]}" \
    env -i "${variables[@]}" "$(command -v unshare)" --root="$container/root" --wd="${IMAGE[workdir]}" \
    --setgid="${user#*:}" --setuid="${user%:*}" "${IMAGE[entrypoint]}" "$@"
}

remove_with_chroot() {
  if [ -z "$CHROOT_FOLDER" ]; then return 0; fi
  umount --recursive "$CHROOT_FOLDER"
  rmdir "$CHROOT_FOLDER"
  CHROOT_FOLDER=
}
