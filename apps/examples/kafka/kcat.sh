#!/bin/sh
# Writes a record with kcat and reads the topic's first (Debian: apt install kcat):
#
#     sh kcat.sh 127.0.0.1:9092 from-kcat
echo "hello from kcat" | kcat -P -b "$1" -t "$2"
kcat -C -b "$1" -t "$2" -o beginning -c 1 -q
