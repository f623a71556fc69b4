// Package inflate decompresses gzip streams (RFC 1952) of DEFLATE data
// (RFC 1951), about twice as fast as the general libraries on the layers of
// container images, where inflating is most of the work of a pull.
//
// What makes it fast: input and output are large slices, so that the inner
// loop needs neither a method call nor a bound it has not checked for many
// symbols at once; a 64-bit bit buffer is filled eight bytes at a time; one
// table look-up gives a symbol's kind, base value and all bits it takes; and
// matches are copied by words.
package inflate
