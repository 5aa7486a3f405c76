package payments

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/postgres"
)

const customerRefSQL = `
select provider_ref
from payments.customers
where provider = $1 and customer_id = $2`

// customerRef is empty when the gateway does not know the customer.
func customerRef(ctx context.Context, q postgres.Querier, provider, customerID string) (ref string, err error) {
	err = q.QueryRow(ctx, customerRefSQL, provider, customerID).Scan(&ref)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return ref, err
}

const keepCustomerSQL = `
insert into payments.customers (provider, customer_id, provider_ref, created_at)
values ($1, $2, $3, $4)
on conflict (provider, customer_id) do update
set provider = excluded.provider
returning provider_ref`

// keepCustomer returns the name that counts: the first one written.
func keepCustomer(ctx context.Context, q postgres.Querier, provider, customerID, ref string, now time.Time) (kept string, err error) {
	err = q.QueryRow(ctx, keepCustomerSQL, provider, customerID, ref, now).Scan(&kept)
	return kept, err
}
