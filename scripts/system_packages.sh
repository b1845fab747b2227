#!/usr/bin/env bash
# Finds the shared libraries that scenes need and that pip cannot bring, and installs their Debian packages.
#
#   system_packages.sh          install what is missing when that is allowed, else say how; always exits 0
#   system_packages.sh --tests  also the programs that the node is tested with; without them those tests are skipped
#   system_packages.sh --venv   the same for python3-venv alone (the only one that nothing works without)
#
# Slicer's core opens EGL, GL and X11 when it renders; Qt's widgets (the panel's tests) need the others.
set -u

# shared library, Debian package that holds it
LIBRARIES="
libEGL.so.1          libegl1
libEGL_mesa.so.0     libegl-mesa0
libGL.so.1           libgl1
libOpenGL.so.0       libopengl0
libX11.so.6          libx11-6
libXt.so.6           libxt6
libxkbcommon.so.0    libxkbcommon0
libfontconfig.so.1   libfontconfig1
libglib-2.0.so.0     libglib2.0-0
libdbus-1.so.3       libdbus-1-3
"

# program or file, Debian package that holds it
TEST_PROGRAMS="
/usr/bin/storescu                                     dcmtk
/usr/bin/dciodvfy                                     dicom3tools
/usr/sbin/Orthanc                                     orthanc
/usr/share/orthanc/plugins/libOrthancDicomWeb.so      orthanc-dicomweb
/usr/bin/openssl                                      openssl
"

missing_test_packages() {
    echo "$TEST_PROGRAMS" | while read -r program package; do
        [ -n "$program" ] && [ ! -e "$program" ] && echo "$package"
    done
}

missing_packages() {
    local known
    known=$( (ldconfig -p || /sbin/ldconfig -p) 2>/dev/null)
    echo "$LIBRARIES" | while read -r library package; do
        [ -n "$library" ] && ! grep -qF "$library " <<<"$known" && echo "$package"
    done
    # Mesa's software renderer is a driver that no program links to.
    { compgen -G '/usr/lib/*/dri/swrast_dri.so' || compgen -G '/usr/lib/*/libgallium-*.so'; } >/dev/null ||
        echo libgl1-mesa-dri
    compgen -G '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf' >/dev/null || echo fonts-dejavu-core
}

if [ "${1:-}" = --venv ]; then
    packages="python3-venv"
else
    [ "$(uname -s)" = Linux ] || exit 0
    packages=$(missing_packages | sort -u | tr '\n' ' ')
    if [ "${1:-}" = --tests ]; then
        wanted=$(missing_test_packages | sort -u | tr '\n' ' ')
        if [ -z "${wanted// /}" ] || [ ! -d /run/systemd/system ]; then
            packages="$packages$wanted"
        else # where services are started, Debian's Orthanc would begin to listen on the network
            echo "Some tests of the node are skipped without these Debian packages: $wanted" >&2
        fi
    fi
    [ -n "${packages// /}" ] || exit 0
fi

command="apt-get install --yes --no-install-recommends $packages"
if ! command -v apt-get >/dev/null; then
    echo "Missing system packages (Debian's names): $packages" >&2
    echo "Without them no scene.mrb is written; everything else works." >&2
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    runner=""
elif sudo -n true 2>/dev/null; then
    runner="sudo -n"
else
    echo "Missing system packages. To install them: sudo $command" >&2
    echo "Without the graphics ones no scene.mrb is written; everything else works." >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
echo "Installing: $packages"
# shellcheck disable=SC2086
$runner $command >/dev/null 2>&1 || { $runner apt-get update >/dev/null 2>&1; $runner $command >/dev/null; } \
    || echo "Could not install them; by hand: sudo apt-get update && sudo $command" >&2
exit 0
