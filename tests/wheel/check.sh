#!/bin/sh
# Builds the wheel, looks into it, installs it alone and imports it from an empty directory.
set -eu
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
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "${wheel}[sim,cli]"
mkdir "$work/empty"
cd "$work/empty"
"$work/venv/bin/python" -c "import pyvirt_trio, pyvirt_sim"
"$work/venv/bin/pyvirt" --help > /dev/null
"$work/venv/bin/pyvirt-sim" --help > /dev/null
echo "wheel: imported from an empty directory, both commands answer"
