-- Models that were made to serve, the newest last. The files are in the row, so that every replica has them without a disk in common.

-- +goose Up

create table recs.models (
    id text collate "C" primary key,
    name text not null,
    version text not null,
    archive bytea not null, -- a zip of the model's directory
    activated_at timestamptz not null,
    activation bigint generated always as identity unique
);

-- +goose Down

drop table recs.models;
