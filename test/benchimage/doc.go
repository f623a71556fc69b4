// Command benchimage measures pulls from a registry on loopback to a finished
// ext4, against two ways that others go: skopeo copy, umoci unpack, mkfs.ext4
// -d; and crane export, tar2ext4. The ways take turns, each in processes of
// its own, whose CPU time and memory are counted. The trees are compared.
//
// The registry's own work is in none of the figures of CPU time.
package main
