-- seq is the order of creation; a list by it is a plain scan.

CREATE TABLE images (
    seq  INTEGER PRIMARY KEY,
    id   TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE kernels (
    seq  INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE vms (
    seq      INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    name     TEXT NOT NULL UNIQUE,
    image_id TEXT REFERENCES images (id),
    body     TEXT NOT NULL
) STRICT;

CREATE INDEX vms_by_image ON vms (image_id);

CREATE TABLE operations (
    seq   INTEGER PRIMARY KEY,
    id    TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    body  TEXT NOT NULL
) STRICT;

CREATE INDEX operations_running ON operations (state) WHERE state = 'running';
