#!/bin/sh
# Makes, once, a certificate of the node `opensearch` and the authority that signed it, whose key is not kept.
# certificates.sh NODE_FOLDER AUTHORITY_FOLDER: node.pem and node.key go into the first, ca.pem into the second.
set -eu

node=$1
authority=$2
if [ -s "$authority/ca.pem" ] && openssl verify -CAfile "$authority/ca.pem" "$node/node.pem" > /dev/null 2>&1; then
    exit 0
fi

umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
new_key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
cat > "$work/node.ext" << 'EOF'
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:opensearch, DNS:localhost, IP:127.0.0.1
EOF
# shellcheck disable=SC2086 # words on purpose
openssl req -x509 $new_key -days 3650 -subj "/CN=havengate-ca" -keyout "$work/ca.key" -out "$work/ca.pem" \
    -addext "keyUsage = critical, keyCertSign, cRLSign" 2> /dev/null
# shellcheck disable=SC2086
openssl req $new_key -subj "/CN=opensearch" -keyout "$work/node.key" -out "$work/node.csr" 2> /dev/null
# Java reads keys in PKCS#8 only, which is what `req` writes.
openssl x509 -req -in "$work/node.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 3650 \
    -extfile "$work/node.ext" -out "$work/node.pem" 2> /dev/null
cp "$work/node.key" "$work/node.pem" "$node/"
cp "$work/ca.pem" "$node/"
cp "$work/ca.pem" "$authority/"
chmod 644 "$authority/ca.pem"
echo "made a certificate for opensearch, valid for ten years"
