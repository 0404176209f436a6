# What the gate and the nightly check share: sourced, with `set -euo pipefail`, by both.

exec </dev/null
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export RIEMANNIAN_SHARED=${RIEMANNIAN_SHARED:-$(dirname "$root")/shared}
export MPLBACKEND=Agg PIP_DISABLE_PIP_VERSION_CHECK=1 PYRIGHT_PYTHON_IGNORE_WARNINGS=1
export NO_MKDOCS_2_WARNING=1
# Python's first import writes the bytecode of what is imported, on the core that needs it; pip would
# compile all of PyTorch and SymPy on one core, and without any every process compiles the library anew.
export PIP_COMPILE=0
unset PYTHONPATH VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

step() {
    local name=$1 start=$SECONDS
    shift
    printf '\n==> %s\n' "$name"
    "$@"
    printf '<== %s: %d s\n' "$name" $((SECONDS - start))
}

# A step that does not stop what comes after it; its name goes into `failed`. Not `step || ...`: that
# would make every command inside go on after a failure.
failed=()
attempt() {
    local status
    set +e
    (
        set -e
        step "$@"
    )
    status=$?
    set -e
    [ "$status" -eq 0 ] || failed+=("$1")
}

# A copy of the checkout in a folder that is made for it.
clean_checkout() {
    mkdir "$1"
    git -C "$root" ls-files -z --cached --others --exclude-standard |
        tar -C "$root" --null -T - -cf - | tar -C "$1" -xf -
}
