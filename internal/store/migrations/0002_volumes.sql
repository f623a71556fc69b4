CREATE TABLE volumes (
    seq  INTEGER PRIMARY KEY,
    id   TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
) STRICT;

-- A VM uses a volume from its creation to its end, and holds it while it runs.
CREATE TABLE volume_uses (
    vm_id     TEXT NOT NULL REFERENCES vms (id) ON DELETE CASCADE,
    volume_id TEXT NOT NULL REFERENCES volumes (id),
    read_only INTEGER NOT NULL,
    held      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (volume_id, vm_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX volume_uses_by_vm ON volume_uses (vm_id);
