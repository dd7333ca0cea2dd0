#!/bin/sh
# Installs the Debian packages that are missing. The lists below are the one place that names them.
#
#   scripts/install-packages.sh GROUP...      groups: build demo test cross lint size
#
# Nothing missing: says nothing, exit 0, a few milliseconds. As root: apt-get. Otherwise: prints the one line to run, exit 1. A system without
# dpkg is left alone, with a line that says what is needed.
set -eu

build="cmake ninja-build gcc libc6-dev binutils flex bison"
demo="curl iproute2 netcat-openbsd procps python3"
# A second compiler with its sanitizers, the tests' library, and the programs that the interop tests run against.
test="$build $demo clang libclang-rt-dev libcmocka-dev pkg-config g++ nginx iperf3 tshark spin"
# Big-endian: a cross compiler, an emulator, and the tests' library of that architecture.
cross="gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user-static libcmocka-dev:s390x"
lint="$build clang clang-tidy cppcheck"
size="clang lld llvm gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-user-static"

wanted=""
[ $# != 0 ] || exit 0
for group in "$@"; do
    case $group in
        build) wanted="$wanted $build" ;;
        demo) wanted="$wanted $demo" ;;
        test) wanted="$wanted $test" ;;
        cross) wanted="$wanted $cross" ;;
        lint) wanted="$wanted $lint" ;;
        size) wanted="$wanted $size" ;;
        *)
            echo "install-packages.sh: no group '$group'; there are build demo test cross lint size" >&2
            exit 2
            ;;
    esac
done

if ! command -v dpkg-query > /dev/null; then
    echo "install-packages.sh: no Debian system; needed are, by their Debian names:$wanted" >&2
    exit 0
fi

# shellcheck disable=SC2086 # the lists are lists
installed=$(dpkg-query -W -f '${Package}:${Architecture} ${db:Status-Status}\n' $wanted 2> /dev/null || true)
missing=""
for package in $wanted; do
    case "$package" in
        *:*) pattern="$package installed" ;;
        *) pattern="$package:* installed" ;;
    esac
    found=no
    # One line a package; names have no spaces.
    while IFS= read -r line; do
        # shellcheck disable=SC2254 # the pattern is one
        case "$line" in $pattern)
            found=yes
            break
            ;;
        esac
    done << LIST
$installed
LIST
    case " $missing " in *" $package "*) found=yes ;; esac
    [ $found = yes ] || missing="$missing $package"
done
missing=${missing# }
[ -n "$missing" ] || exit 0

foreign=""
case "$missing" in
    *:s390x*) dpkg --print-foreign-architectures | grep -qx s390x || foreign="dpkg --add-architecture s390x && " ;;
esac

if [ "$(id -u)" != 0 ]; then
    echo "Packages are missing. Run this once, then try again:" >&2
    echo "  sudo sh -c '${foreign}apt-get update && apt-get install -y --no-install-recommends $missing'" >&2
    exit 1
fi

echo "Installing: $missing"
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made_policy=no
clean_up()
{
    rm -f "$log"
    [ $made_policy = no ] || rm -f $policy
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# The tests start servers of their own: a package must not start one on this machine.
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy
    made_policy=yes
fi

export DEBIAN_FRONTEND=noninteractive
[ -z "$foreign" ] || dpkg --add-architecture s390x
# A third-party source that does not answer is no reason to stop: the install says what is really missing.
apt-get update > "$log" 2>&1 || { echo "apt-get update had trouble:" && tail -n 3 "$log"; }
# shellcheck disable=SC2086
if ! apt-get install -y --no-install-recommends $missing > "$log" 2>&1; then
    tail -n 15 "$log" >&2
    echo "install-packages.sh: apt-get could not install: $missing" >&2
    exit 1
fi
