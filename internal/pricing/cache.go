package pricing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"shopd/internal/money"
)

// PriceCache is a copy of current prices to read from. It may lose everything at any moment.
type PriceCache interface {
	Get(ctx context.Context, currency money.Currency, variantIDs []string) (known map[string]Price, missing []string)
	// Put takes over the prices that are newer than what it has.
	Put(ctx context.Context, prices []Price) error
}

const (
	cacheTTL     = time.Hour
	cacheTimeout = 50 * time.Millisecond
)

// RedisPrices keeps each price as a hash "shopd:price:<variant>:<currency>" with the fields version and price (JSON).
type RedisPrices struct {
	client redis.UniversalClient
}

// NewRedisPrices returns a PriceCache on client.
func NewRedisPrices(client redis.UniversalClient) *RedisPrices { return &RedisPrices{client: client} }

func priceKey(variantID string, currency money.Currency) string {
	return "shopd:price:" + variantID + ":" + string(currency)
}

// putScript writes a price unless a newer one is there. ARGV: version, price, TTL in seconds.
var putScript = redis.NewScript(`
local have = tonumber(redis.call('HGET', KEYS[1], 'version') or '-1')
if have <= tonumber(ARGV[1]) then
    redis.call('HSET', KEYS[1], 'version', ARGV[1], 'price', ARGV[2])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return have
`)

// Put implements PriceCache.
func (c *RedisPrices) Put(ctx context.Context, prices []Price) error {
	if len(prices) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	run := func() error {
		_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, price := range prices {
				body, err := json.Marshal(price)
				if err != nil {
					return err
				}
				putScript.EvalSha(ctx, p, []string{priceKey(price.VariantID, price.Amount.Currency)}, price.Version, body, int(cacheTTL.Seconds()))
			}
			return nil
		})
		return err
	}
	err := run()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err = putScript.Load(ctx, c.client).Err(); err == nil {
			err = run()
		}
	}
	if err != nil {
		return fmt.Errorf("copy prices to redis: %w", err)
	}
	return nil
}

// Get implements PriceCache.
func (c *RedisPrices) Get(ctx context.Context, currency money.Currency, variantIDs []string) (map[string]Price, []string) {
	known := make(map[string]Price, len(variantIDs))
	ctx, cancel := context.WithTimeout(ctx, cacheTimeout)
	defer cancel()
	answers := make([]*redis.StringCmd, len(variantIDs))
	if _, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, v := range variantIDs {
			answers[i] = p.HGet(ctx, priceKey(v, currency), "price")
		}
		return nil
	}); err != nil && err != redis.Nil { //nolint:errorlint // a pipeline gives the first command's own error
		return known, variantIDs // the cache is away: PostgreSQL answers
	}
	var missing []string
	for i, v := range variantIDs {
		var p Price
		if body, err := answers[i].Bytes(); err != nil || json.Unmarshal(body, &p) != nil {
			missing = append(missing, v)
			continue
		}
		known[v] = p
	}
	return known, missing
}
