#!/usr/bin/env bash
# Sets up LibTorch 2.9.0 and prints its folder on standard output; everything else goes to
# standard error. Does nothing when it is there already.
#
#   setup-libtorch.sh          the folder to build with (LIBTORCH); runs on the CPU
#   setup-libtorch.sh --cuda   the folder to put first in LD_LIBRARY_PATH where there is an
#                              NVIDIA driver; prints nothing where there is none
#
# A LIBTORCH that is set is respected: it is printed as it is.
# RAYONNAGE_SETUP_CACHE names the folder of what is set up (default: $XDG_CACHE_HOME or ~/.cache, then rayonnage).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${RAYONNAGE_SETUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rayonnage}
say() { printf 'setup: %s\n' "$*" >&2; }

# download REQUIREMENTS FOLDER: the wheels named there, each checked against its digest.
download() {
    python3 -m pip --version >/dev/null 2>&1 || { say "python3 with pip is needed to fetch LibTorch"; exit 1; }
    python3 -m pip download --quiet --no-cache-dir --no-deps --require-hashes \
        --only-binary=:all: --implementation cp --python-version 3.12 \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
        --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 \
        --dest "$2" --requirement "$1" >&2
}

# unpack WHEELS FOLDER PATTERN…: members of the wheels that match; `torch/` is stripped, and
# libraries of the nvidia-* packages go to lib/ beside those of torch.
unpack() {
    python3 - "$@" <<'PY'
import fnmatch, os, shutil, sys, zipfile
wheels, target, patterns = sys.argv[1], sys.argv[2], sys.argv[3:]
for wheel in sorted(os.listdir(wheels)):
    with zipfile.ZipFile(os.path.join(wheels, wheel)) as archive:
        for member in archive.namelist():
            if member.endswith("/") or not any(fnmatch.fnmatch(member, p) for p in patterns):
                continue
            if member.startswith("torch/"):
                path = member[len("torch/"):]
            else:
                path = os.path.join("lib", os.path.basename(member))
            path = os.path.join(target, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(member) as source, open(path, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
PY
}

# install NAME REQUIREMENTS PATTERN…: downloads and unpacks aside, then renames, so that a folder
# of that name is whole.
install() {
    local name=$1 requirements=$2
    shift 2
    mkdir -p "$cache"
    exec 9>"$cache/.setup.lock"
    flock 9
    [ -d "$cache/$name" ] && return
    # What a set-up left that was killed; nobody else is at work, since the lock is held.
    rm -rf "$cache"/.libtorch-*
    local work
    work=$(mktemp -d "$cache/.$name.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    say "fetching $name ($(grep -cv '^#' "$requirements") packages of the Python package index) into $cache/$name"
    download "$requirements" "$work/wheels"
    unpack "$work/wheels" "$work/$name" "$@"
    if [ "$name" = "$cpu" ]; then
        "${CXX:-c++}" -O1 -shared -fPIC -Wl,-soname,libtorch_cuda.so \
            -o "$work/$name/lib/libtorch_cuda.so" "$here/libtorch_cuda_stub.cpp"
    fi
    mv "$work/$name" "$cache/$name"
    rm -rf "$work"
    trap - EXIT
    say "$name is ready"
}

# The digest of what decides the contents is part of the name: a change makes a new folder.
tag() { cat "$@" | sha256sum | cut -c1-8; }
cpu=libtorch-2.9.0-$(tag "$here/libtorch-cpu.txt" "$here/libtorch_cuda_stub.cpp")
cuda=libtorch-2.9.0-cuda-$(tag "$here/libtorch-cuda.txt")

has_driver() {
    [ -e /proc/driver/nvidia/version ] || ldconfig -p 2>/dev/null | grep 'libcuda\.so\.1' >/dev/null
}

if [ "${1:-}" = --cuda ]; then
    [ -z "${LIBTORCH:-}" ] && has_driver || exit 0
    [ -d "$cache/$cuda" ] || install "$cuda" "$here/libtorch-cuda.txt" \
        'torch/lib/*.so' 'torch/lib/*.so.*' 'nvidia/*/lib/*.so' 'nvidia/*/lib/*.so.*'
    echo "$cache/$cuda/lib"
elif [ -n "${LIBTORCH:-}" ]; then
    [ -d "$LIBTORCH/lib" ] || { say "LIBTORCH=$LIBTORCH has no lib folder"; exit 1; }
    (cd "$LIBTORCH" && pwd)
else
    [ -d "$cache/$cpu" ] || install "$cpu" "$here/libtorch-cpu.txt" \
        'torch/include/*' 'torch/lib/libtorch.so' 'torch/lib/libtorch_cpu.so' 'torch/lib/libc10.so' \
        'torch/lib/libgomp*' 'nvidia/cuda_runtime/lib/libcudart.so.12' 'nvidia/cuda_cupti/lib/libcupti.so.12'
    echo "$cache/$cpu"
fi
