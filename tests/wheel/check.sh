#!/bin/sh
# Builds the wheel, looks into it, installs it alone and imports it from an empty directory.
set -eu
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$PYTHON" -m build --wheel --no-isolation --outdir "$work/dist" . > "$work/build.log" 2>&1 || {
    cat "$work/build.log"
    exit 1
}
wheel=$(ls "$work"/dist/*.whl)
"$PYTHON" - "$wheel" <<'PYTHON_END'
import sys
import zipfile

names = zipfile.ZipFile(sys.argv[1]).namelist()
tops = {name.split("/")[0] for name in names}
tops = {top for top in tops if not top.endswith(".dist-info")}
assert tops == {"pyvirt_trio", "pyvirt_sim", "pyvirt_sim_pytest.py"}, tops
for package in ("pyvirt_trio", "pyvirt_sim"):
    assert f"{package}/py.typed" in names, f"{package} has no py.typed"
PYTHON_END
"$PYTHON" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    "${wheel}[sim,cli]" pytest pytest-trio
mkdir "$work/empty"
cd "$work/empty"
"$work/venv/bin/python" -c "import pyvirt_trio, pyvirt_sim"
"$work/venv/bin/pyvirt" --help > /dev/null
"$work/venv/bin/pyvirt-sim" --help > /dev/null
# Somebody's project: the files of the tutorial, which its bug makes fail and its cure pass.
"$work/venv/bin/python" "$root/tests/wheel/tutorial.py" "$work/empty" before
if "$work/venv/bin/python" -m pytest -q -p no:cacheprovider > "$work/before.log"; then
    echo "the tutorial's bug was not found" >&2
    exit 1
fi
for words in "DeviceInUseError" "THE ORDER THAT DECIDES" "--pyvirt-sim-tape tape1"; do
    grep -q -e "$words" "$work/before.log" || {
        cat "$work/before.log"
        exit 1
    }
done
"$work/venv/bin/python" "$root/tests/wheel/tutorial.py" "$work/empty" after
"$work/venv/bin/python" -m pytest -q -p no:cacheprovider > "$work/after.log" || {
    cat "$work/after.log"
    exit 1
}
echo "wheel: a project of its own finds its bug, and passes without it"
echo "wheel: imported from an empty directory, both commands answer"
