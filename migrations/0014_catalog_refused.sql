-- A product that the search index refused is tried again later, and says why it was refused.

-- +goose Up

alter table catalog.products add column index_refusal text;
alter table catalog.products add column index_retry_at timestamptz;

-- +goose Down

alter table catalog.products drop column index_retry_at, drop column index_refusal;
