#!/bin/sh
# Makes FILE (.env beside this script) from .env.example: once, for its owner's eyes, with a secret for each empty value.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
file=${1:-$here/.env}
[ ! -e "$file" ] || exit 0

secret() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

umask 077
part=$(mktemp "$file.XXXXXX")
trap 'rm -f "$part"' EXIT
while IFS= read -r line || [ -n "$line" ]; do
    case $line in
        "#"*) ;;
        *=) line=$line$(secret) ;;
    esac
    printf '%s\n' "$line"
done < "$here/.env.example" > "$part"
# A link fails where a second `make up` was faster; its secrets are as good.
ln "$part" "$file" 2> /dev/null || [ -e "$file" ]
echo "made $file: passwords and keys of this installation"
