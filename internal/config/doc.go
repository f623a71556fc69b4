// Package config reads the daemon's settings: config.toml, and the environment
// over it. It is strict: a key that does not exist, or a value that cannot be
// right, is an error that names the place and the nearest key. What a setting
// does is for those who are given it.
package config
