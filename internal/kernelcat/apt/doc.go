// Package apt downloads packages of Debian and its relatives as an ordinary
// user: package lists, configuration and cache are banger's own, so that
// nothing of the host's package management is changed. Where to download from
// is taken from the host's own configuration; what comes is checked by apt
// against the distribution's signed index.
package apt
