package pkgdb

// ParseRPM is for the fuzz target.
var ParseRPM = parseRPM
