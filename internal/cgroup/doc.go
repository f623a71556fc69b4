// Package cgroup limits what the process of a VM may use of its host: control
// groups of version 2, or of version 1 where that is all there is. A daemon
// that may make none gets a Manager that says why and limits nothing.
package cgroup
