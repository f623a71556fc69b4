// Package vmm says what it takes to run one virtual machine, whatever the
// program is that runs it: a Spec in which nothing is left to decide, and a
// Driver that turns it into a process. Drivers live in the packages below;
// vmmtest holds the suite that each must pass, and a fake.
package vmm
