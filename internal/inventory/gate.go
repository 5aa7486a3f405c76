package inventory

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

// gate remembers in Redis what is scarce, so that most of a crowd that wants the last pieces is turned away before it
// reaches the row in PostgreSQL that all of them would wait for. It refuses and never grants: an order that it lets
// through is decided by PostgreSQL, and so is everything while Redis is away.
//
// What it knows of an article is how many were left when PostgreSQL was asked last, less those it has let through
// since. That may be wrong in both directions. Too many costs a question to PostgreSQL. Too few refuses a sale, so
// what is known is forgotten after knowledgeLife and learned again from the next order.
//
// It also counts the orders that a holder has stock held for: nobody can hoard with many carts what they never pay.
type gate struct {
	redis    redis.UniversalClient
	breaker  *gobreaker.CircuitBreaker[[]any]
	log      *slog.Logger
	patience time.Duration // what an order waits for Redis
	// relearn reads what is left of articles from PostgreSQL.
	relearn func(ctx context.Context, skus []string) ([]left, error)
	epoch   atomic.Pointer[string]
	// scarce are the articles that were few lately: those are learned again at once when Redis has lost them.
	scarce   *lru.Cache[string, time.Time]
	held     *localHolds
	outcomes *prometheus.CounterVec
	losses   prometheus.Counter
}

// left is what PostgreSQL said is left of an article over all locations, at a version that grows with every change.
type left struct {
	SKU      string
	Quantity int64
	Version  int64
}

const (
	// knowledgeLife is how long the gate may refuse by what it has learned, and so how long a sale may be lost.
	knowledgeLife = time.Second
	// few is from how many pieces on an article is worth remembering.
	few          = 500
	gatePatience = 30 * time.Millisecond
	gateFailures = 5
	gatePause    = time.Second
	// scarceSize bounds what is learned again after a loss.
	scarceSize = 500
	scarceLife = time.Minute
	gatePrefix = "shopd:{gate}:" // one slot in a Cluster: a script touches several keys
)

// What the gate says of an order; also the label of its metric.
const (
	admitted = "admitted"
	known    = "known" // it was let through before
	refused  = "refused"
	hoarding = "hoarding" // its holder holds too much
	bypassed = "bypassed" // Redis did not answer
)

type verdict struct {
	outcome   string
	shortages []Shortage
}

// newGate returns a gate on a client that honours deadlines; a nil client gives a gate that lets everything pass.
func newGate(client redis.UniversalClient, patience time.Duration, replicas int, log *slog.Logger, reg prometheus.Registerer, now func() time.Time) (*gate, error) {
	scarce, err := lru.New[string, time.Time](scarceSize)
	if err != nil {
		return nil, err
	}
	g := &gate{
		redis: client, patience: cmp.Or(patience, gatePatience), log: log, scarce: scarce, held: newLocalHolds(replicas, now),
		breaker: gobreaker.NewCircuitBreaker[[]any](gobreaker.Settings{
			Name: "redis stock gate", Timeout: gatePause,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= gateFailures },
		}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shopd_stock_gate_total", Help: "Orders by what the gate before the stock said; bypassed while Redis is away.",
		}, []string{"outcome"}),
		losses: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shopd_stock_gate_losses_total", Help: "Times that Redis had lost what the gate knew.",
		}),
	}
	for _, c := range []prometheus.Collector{g.outcomes, g.losses} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of the stock gate: %w", err)
		}
	}
	return g, nil
}

func epochKey() string                { return gatePrefix + "epoch" }
func ticketKey(orderID string) string { return gatePrefix + "ticket:" + orderID }
func holdsKey(holder string) string   { return gatePrefix + "holds:" + holder }
func leftKey(sku string) string       { return gatePrefix + "left:" + sku }

// admitScript lets an order through, once: a repeated call whose first reply was lost takes nothing again.
// KEYS: epoch, the order's ticket, its holder's holds, then what is left of each article.
// ARGV: an epoch to begin with, life of the hold in ms, order, holds allowed (0: not counted), holder, then quantities.
var admitScript = redis.NewScript(`
local epoch = redis.call('get', KEYS[1])
if not epoch then
    epoch = ARGV[1]
    redis.call('set', KEYS[1], epoch)
end
if redis.call('exists', KEYS[2]) == 1 then return {epoch, 'known'} end
local answer = {epoch, 'refused'}
for i = 4, #KEYS do
    local left = redis.call('hget', KEYS[i], 'left')
    if left and tonumber(left) < tonumber(ARGV[i + 2]) then
        answer[#answer + 1] = tostring(i - 4)
        answer[#answer + 1] = left
    end
end
if #answer > 2 then return answer end
local most = tonumber(ARGV[4])
if most > 0 then
    local time = redis.call('time')
    local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
    redis.call('zremrangebyscore', KEYS[3], '-inf', now)
    if redis.call('zcard', KEYS[3]) >= most and not redis.call('zscore', KEYS[3], ARGV[3]) then return {epoch, 'hoarding'} end
    redis.call('zadd', KEYS[3], now + tonumber(ARGV[2]), ARGV[3])
    redis.call('pexpire', KEYS[3], ARGV[2])
end
redis.call('set', KEYS[2], ARGV[5], 'px', ARGV[2])
for i = 4, #KEYS do
    if redis.call('hexists', KEYS[i], 'left') == 1 then redis.call('hincrby', KEYS[i], 'left', -tonumber(ARGV[i + 2])) end
end
return {epoch, 'admitted'}`)

// undoScript takes an admission back. KEYS: ticket, holds, then what is left of each article. ARGV: order, quantities.
var undoScript = redis.NewScript(`
if redis.call('del', KEYS[1]) == 0 then return 0 end
redis.call('zrem', KEYS[2], ARGV[1])
for i = 3, #KEYS do
    if redis.call('hexists', KEYS[i], 'left') == 1 then redis.call('hincrby', KEYS[i], 'left', ARGV[i - 1]) end
end
return 1`)

// learnScript keeps what PostgreSQL said, unless something newer is known; at the same version the lower number counts,
// because of those that were let through since. KEYS: left of the article. ARGV: quantity, version, life in ms.
var learnScript = redis.NewScript(`
local version = tonumber(redis.call('hget', KEYS[1], 'version') or '-1')
local left, mine = tonumber(ARGV[1]), tonumber(ARGV[2])
if version > mine then return 0 end
if version == mine then left = math.min(left, tonumber(redis.call('hget', KEYS[1], 'left'))) end
redis.call('hset', KEYS[1], 'left', left, 'version', mine)
if version < mine or tonumber(ARGV[1]) <= 0 then redis.call('pexpire', KEYS[1], ARGV[3]) end
return 1`)

// admit asks whether the order may go to PostgreSQL. items are merged.
func (g *gate) admit(ctx context.Context, h Holder, orderID string, items []Item, life time.Duration) verdict {
	v := g.ask(ctx, h, orderID, items, max(life, time.Second))
	if v.outcome == bypassed && !g.held.take(h, orderID, life) {
		v.outcome = hoarding
	}
	g.outcomes.WithLabelValues(v.outcome).Inc()
	return v
}

func (g *gate) ask(ctx context.Context, h Holder, orderID string, items []Item, life time.Duration) verdict {
	if g.redis == nil {
		return verdict{outcome: bypassed}
	}
	keys := []string{epochKey(), ticketKey(orderID), holdsKey(h.Key)}
	args := []any{rand.Text(), life.Milliseconds(), orderID, h.Most, h.Key}
	for _, it := range items {
		keys, args = append(keys, leftKey(it.SKU)), append(args, it.Quantity)
	}
	answer, err := g.run(ctx, admitScript, keys, args...)
	if err != nil || len(answer) < 2 {
		return verdict{outcome: bypassed}
	}
	epoch, outcome := fmt.Sprint(answer[0]), fmt.Sprint(answer[1])
	g.noticeLoss(ctx, epoch)
	v := verdict{outcome: outcome}
	for i := 2; i+1 < len(answer); i += 2 {
		position, err1 := strconv.Atoi(fmt.Sprint(answer[i]))
		available, err2 := strconv.ParseInt(fmt.Sprint(answer[i+1]), 10, 64)
		if err1 != nil || err2 != nil || position >= len(items) {
			return verdict{outcome: bypassed}
		}
		it := items[position]
		v.shortages = append(v.shortages, Shortage{SKU: it.SKU, Wanted: it.Quantity, Available: max(available, 0)})
	}
	return v
}

// run runs a script within the patience, whatever becomes of the caller.
func (g *gate) run(ctx context.Context, script *redis.Script, keys []string, args ...any) ([]any, error) {
	return g.breaker.Execute(func() ([]any, error) {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.patience)
		defer cancel()
		answer, err := script.Run(limited, g.redis, keys, args...).Result()
		list, _ := answer.([]any)
		return list, err
	})
}

// noticeLoss compares the epoch with the one this process knows. Another one means that Redis was emptied or replaced:
// what was scarce is learned again from PostgreSQL.
func (g *gate) noticeLoss(ctx context.Context, epoch string) {
	before := g.epoch.Swap(&epoch)
	if before == nil || *before == epoch {
		return
	}
	g.losses.Inc()
	var skus []string
	for _, sku := range g.scarce.Keys() {
		if at, ok := g.scarce.Peek(sku); ok && time.Since(at) < scarceLife {
			skus = append(skus, sku)
		}
	}
	g.log.WarnContext(ctx, "Redis has lost what the stock gate knew; it is learned again", "articles", len(skus))
	if len(skus) == 0 {
		return
	}
	levels, err := g.relearn(ctx, skus)
	if err != nil {
		g.log.WarnContext(ctx, "scarce stock not read; the gate learns of it by orders", "error", err)
		return
	}
	g.learn(ctx, levels)
}

// learn keeps what PostgreSQL said of articles of which few are left. When Redis does not take it, nothing is lost but
// a little speed.
func (g *gate) learn(ctx context.Context, levels []left) {
	if g.redis == nil {
		return
	}
	for _, l := range levels {
		if l.Quantity > few {
			continue
		}
		g.scarce.Add(l.SKU, time.Now())
		_, err := g.run(ctx, learnScript, []string{leftKey(l.SKU)}, l.Quantity, l.Version, knowledgeLife.Milliseconds())
		if err != nil {
			return
		}
	}
}

// undo takes an admission back that PostgreSQL did not confirm.
func (g *gate) undo(ctx context.Context, h Holder, orderID string, items []Item) {
	g.held.drop(orderID)
	if g.redis == nil {
		return
	}
	keys, args := []string{ticketKey(orderID), holdsKey(h.Key)}, []any{orderID}
	for _, it := range items {
		keys, args = append(keys, leftKey(it.SKU)), append(args, it.Quantity)
	}
	_, _ = g.run(ctx, undoScript, keys, args...) // what is wrong now is forgotten in a second
}

// forget drops what is known of articles that more has come of.
func (g *gate) forget(ctx context.Context, skus ...string) {
	if g.redis == nil || len(skus) == 0 {
		return
	}
	_, _ = g.pipeline(ctx, func(limited context.Context, p redis.Pipeliner) { // what is wrong now is forgotten in a second
		for _, sku := range skus {
			p.Del(limited, leftKey(sku))
		}
	})
}

// end frees the places of holders whose orders hold nothing any more: they are paid, cancelled or over.
func (g *gate) end(ctx context.Context, orderIDs ...string) {
	g.held.drop(orderIDs...)
	if g.redis == nil || len(orderIDs) == 0 {
		return
	}
	holders, err := g.holders(ctx, orderIDs)
	if err != nil {
		return // their places are free when the time of the holds is up
	}
	_, _ = g.pipeline(ctx, func(limited context.Context, p redis.Pipeliner) { // as above
		for i, id := range orderIDs {
			if holders[i] != "" {
				p.ZRem(limited, holdsKey(holders[i]), id)
			}
			p.Del(limited, ticketKey(id))
		}
	})
}

// extend keeps the holder's place as long as the hold.
func (g *gate) extend(ctx context.Context, orderID string, life time.Duration) {
	g.held.extend(orderID, life)
	if g.redis == nil {
		return
	}
	holders, err := g.holders(ctx, []string{orderID})
	if err != nil || holders[0] == "" {
		return
	}
	_, _ = g.pipeline(ctx, func(limited context.Context, p redis.Pipeliner) { // the place is free earlier than it could be
		p.PExpire(limited, ticketKey(orderID), life)
		p.ZAddArgs(limited, holdsKey(holders[0]), redis.ZAddArgs{
			XX: true, GT: true, Members: []redis.Z{{Score: float64(time.Now().Add(life).UnixMilli()), Member: orderID}},
		})
		p.PExpire(limited, holdsKey(holders[0]), life)
	})
}

// holders are who the orders are for; empty for those without a ticket.
func (g *gate) holders(ctx context.Context, orderIDs []string) ([]string, error) {
	commands, err := g.pipeline(ctx, func(limited context.Context, p redis.Pipeliner) {
		for _, id := range orderIDs {
			p.Get(limited, ticketKey(id))
		}
	})
	if err != nil {
		return nil, err
	}
	holders := make([]string, len(commands))
	for i, c := range commands {
		if get, ok := c.(*redis.StringCmd); ok {
			holders[i] = get.Val()
		}
	}
	return holders, nil
}

func (g *gate) pipeline(ctx context.Context, fill func(context.Context, redis.Pipeliner)) (commands []redis.Cmder, err error) {
	_, err = g.breaker.Execute(func() ([]any, error) {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.patience)
		defer cancel()
		commands, err = g.redis.Pipelined(limited, func(p redis.Pipeliner) error {
			fill(limited, p)
			return nil
		})
		if err == redis.Nil { //nolint:errorlint // go-redis returns it as it is
			err = nil
		}
		return nil, err
	})
	return commands, err
}
