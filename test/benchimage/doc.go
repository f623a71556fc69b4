// Command benchimage measures pulls from a registry on loopback to a finished
// ext4, against the usual way: skopeo copy, umoci unpack, mkfs.ext4 -d. The
// two take turns, each in processes of its own, whose CPU time and memory are
// counted.
//
// The registry's own work is in none of the figures of CPU time.
package main
