#!/bin/sh
# make_sources.sh FILES TARGET: a repository with tags v1, v2 and v3 (which is broken), and an archive.
set -eu
files=$1 target=$2
rm -rf "$target"
mkdir -p "$target"
cp -r "$files/tools" "$target/tools"
cd "$target/tools"
git init --quiet --initial-branch=main
git config user.name nobody
git config user.email nobody@localhost

publish() {
    echo "$1" >server/VERSION
    git add --all
    git commit --quiet --message "$1"
    git tag "$1"
}

publish v1
publish v2
echo 'raise RuntimeError("this release is broken on purpose")' >>server/tools/web.py
publish v3
cd "$target"
mkdir plain-1.0
cp "$files/plain/serve.py" plain-1.0/
tar -czf plain.tar.gz plain-1.0
sha256sum plain.tar.gz | cut -d" " -f1 >plain.tar.gz.sha256
