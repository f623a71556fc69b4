// Command bench measures banger against its bars, with the built programs,
// real images and real guests. It prints a table and writes
// build/bench/bench.json: a list of {name, value, unit, bar, met}.
//
// A bar that is missed is told as such; with BENCH_STRICT=1 it also makes the
// exit code 1. Times depend on the host: compare those of one run, not those
// of two machines.
package main
