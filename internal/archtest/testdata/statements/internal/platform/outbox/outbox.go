package outbox

import "fmt"

// InsertSQL is a part of statements of others.
func InsertSQL(first int) string { return fmt.Sprintf(insertEvents, first, first+1) }

const insertEvents = `
insert into platform.outbox (event_id, type, version, aggregate_id, aggregate_version, data, occurred_at)
select $%d, $%d, 1, 'x', 1, '{}', now()`
