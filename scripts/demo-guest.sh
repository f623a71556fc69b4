#!/bin/sh
# What the demo asks a guest.
uname -a
sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' /etc/os-release
id
awk '/^MemTotal/ {print "memory: " int($2 / 1024) " MiB"}' /proc/meminfo
df -h / | awk 'NR == 2 {print "disk: " $2 ", " $4 " free"}'
