#!/bin/sh
# operator.sh USER KEY: a person who may log in by this key and do everything by sudo.
id -u "$1" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash "$1"
install -d -m 0700 -o "$1" -g "$1" "/home/$1/.ssh"
echo "$2" >"/home/$1/.ssh/authorized_keys"
chown "$1:" "/home/$1/.ssh/authorized_keys"
echo "$1 ALL=(ALL) NOPASSWD: ALL" >"/etc/sudoers.d/$1"
chmod 0440 "/etc/sudoers.d/$1"
