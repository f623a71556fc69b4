// Package vm is the VM service: a VM's life from create to delete, what runs
// in it, and how it is found again after the daemon was away. One file holds
// one operation; states and who may change them:
//
//	          create            start             agent answers
//	(absent) ───────▶ stopped ───────▶ starting ───────────────▶ running
//	                   ▲  ▲               │ deadline, crash         │
//	                   │  └── failed ◀────┴──────── guest crash ────┤
//	                   └─────────── stop, kill, guest poweroff ─────┘
//	any ──delete──▶ deleting ──▶ (absent)      unknown: seen at recovery
//
// Requests change a VM under its lock. The end of a VM's process is seen by
// one goroutine per running VM (watch.go), which alone cleans up after it.
package vm
