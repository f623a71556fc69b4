// Package image is the image service: it pulls, lists, shows and deletes
// images, finds or pulls the one that a VM is to be made of, and repairs what
// a daemon that was killed left behind. One operation is one file.
package image
