#!/bin/sh
set -eu
umask 077
mkdir -p /etc/collector
cd /etc/collector
for name in ca other-ca; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$name" -keyout $name.key -out $name.pem
done
openssl req -newkey rsa:2048 -nodes -subj /CN=collector -addext subjectAltName=DNS:collector \
    -keyout collector.key -out collector.csr
openssl x509 -req -in collector.csr -CA ca.pem -CAkey ca.key -days 30 -copy_extensions copy -out collector.pem
