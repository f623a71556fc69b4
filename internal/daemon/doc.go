// Package daemon puts the services together into rpc.API, recovers in order,
// serves, and shuts down. It holds no logic of its own: Daemon.PullImage is
// image.Service.PullImage. VMs outlive the daemon.
package daemon
