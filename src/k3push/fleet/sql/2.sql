-- Version 2: files that are not read any more.

CREATE TABLE fleet_version (version integer NOT NULL);

-- Job files that ended their readers, by what is in them; a person may have them tried again.
CREATE TABLE fleet_aside (
    tenant text NOT NULL,
    digest text NOT NULL,
    file text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, digest)
);

INSERT INTO fleet_version (version) VALUES (2);
