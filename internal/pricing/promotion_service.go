package pricing

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// automatic are the promotions that every cart may get.
type automatic struct {
	list []*Promotion
	read time.Time
}

// automaticTTL is how long a change of the automatic promotions may take to be seen by a replica that does not hear of
// it. When they begin and end is looked at each time.
const automaticTTL = 10 * time.Second

// automaticOnes returns the automatic promotions, read at most every ten seconds by one caller at a time; the others go
// on with those of before.
func (s *Service) automaticOnes(ctx context.Context) ([]*Promotion, error) {
	have := s.promotions.Load()
	if have != nil && s.now().Sub(have.read) < automaticTTL {
		return have.list, nil
	}
	if have != nil {
		if !s.reading.TryLock() {
			return have.list, nil
		}
		defer s.reading.Unlock()
	}
	list, err := automaticPromotions(ctx, s.db)
	if err != nil {
		if have != nil {
			return have.list, nil // those of a moment ago are better than no checkout
		}
		return nil, fmt.Errorf("read promotions: %w", err)
	}
	s.promotions.Store(&automatic{list: list, read: s.now()})
	return list, nil
}

// keys name the buyer in the counts: the account, and the mail address under each key in use.
func (b Buyer) keys() []string {
	keys := make([]string, 0, 1+len(b.Mail))
	if b.CustomerID != "" {
		keys = append(keys, "account:"+b.CustomerID)
	}
	for _, index := range b.Mail {
		keys = append(keys, "mail:"+hex.EncodeToString(index))
	}
	return keys
}

// personal reports whether it takes knowing the buyer to say whether p counts.
func (p *Promotion) personal() bool {
	return p.CustomerLimit != nil || len(p.Terms.Conditions.Groups) > 0
}

// Discounts says what promotions take off a purchase. It costs one SQL statement for a request with codes, or while
// an automatic promotion depends on who buys; otherwise none most of the time.
func (s *Service) Discounts(ctx context.Context, r DiscountRequest) (Discounts, error) {
	all, err := s.automaticOnes(ctx)
	if err != nil {
		return Discounts{}, err
	}
	now := s.now()
	var candidates []candidate
	var personal []string
	for _, p := range all {
		if p.ValidTo != nil && !now.Before(*p.ValidTo) || p.ValidFrom != nil && now.Before(*p.ValidFrom) {
			continue
		}
		if p.personal() || r.OrderID != "" && p.Limited() {
			personal = append(personal, string(p.ID))
			continue
		}
		candidates = append(candidates, candidate{Promotion: p})
	}
	if len(r.Codes)+len(personal) > 0 {
		more, err := readCandidates(ctx, s.db, r.Codes, personal, r.Buyer, r.OrderID)
		if err != nil {
			return Discounts{}, fmt.Errorf("read promotions: %w", err)
		}
		// The code that was entered first goes first: it is the one that counts of two of the same promotion.
		slices.SortStableFunc(more, func(a, b candidate) int { return slices.Index(r.Codes, a.code) - slices.Index(r.Codes, b.code) })
		candidates = append(candidates, more...)
	}
	return discount(now, &r, candidates), nil
}

// Claim is one use of a promotion with a limit.
type Claim struct {
	PromotionID PromotionID
	Code        string
}

// Redeem counts one use of each promotion for the order, of all or of none; it returns ErrCouponExhausted when a limit
// is reached. Repeating it for the same order is harmless. When ttl has passed, ExpiredClaims names the order.
func (s *Service) Redeem(ctx context.Context, orderID string, claims []Claim, buyer Buyer, ttl time.Duration) error {
	now := s.now()
	granted := false
	err := postgres.Retry(ctx, func() (err error) {
		granted, err = claim(ctx, s.claims, orderID, claims, buyer.keys(), now.Add(ttl), now)
		return err
	})
	if err != nil {
		return fmt.Errorf("redeem promotions for order %s: %w", orderID, err)
	}
	if !granted {
		s.promotions.Store(nil) // an automatic one may be used up
		return ErrCouponExhausted
	}
	return nil
}

// Unredeem gives the uses of orders back that will not be delivered. Repeating it, also from several places at once,
// takes each off the counts once.
func (s *Service) Unredeem(ctx context.Context, orderIDs ...string) error {
	err := postgres.Retry(ctx, func() error {
		_, err := release(ctx, s.db, orderIDs, s.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("release promotions: %w", err)
	}
	return nil
}

// ExpiredClaims returns orders whose claims are over time: the caller knows which of them live.
func (s *Service) ExpiredClaims(ctx context.Context, limit int) ([]string, error) {
	return expiredClaims(ctx, s.db, s.now(), limit)
}

// Confirm keeps the uses of orders that are paid.
func (s *Service) Confirm(ctx context.Context, orderIDs ...string) error {
	_, err := s.db.Exec(ctx, confirmSQL, orderIDs)
	return err
}

// Prolong keeps the claims of orders that live for another ttl.
func (s *Service) Prolong(ctx context.Context, ttl time.Duration, orderIDs ...string) error {
	_, err := s.db.Exec(ctx, prolongSQL, orderIDs, s.now().Add(ttl))
	return err
}

// CheckPromotions compares the counts of uses with the uses and complains of those that differ.
func (s *Service) CheckPromotions(ctx context.Context) error {
	wrong, err := miscounted(ctx, s.db)
	if err != nil {
		return fmt.Errorf("count uses of promotions: %w", err)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the uses of promotions are miscounted: %v", wrong)
	}
	return nil
}

// CreatePromotion makes a promotion of what p says and returns it as it is kept. Its errors are of validation and
// ErrCodeTaken.
func (s *Service) CreatePromotion(ctx context.Context, p Promotion, actor string) (*Promotion, error) {
	if err := p.normalise(); err != nil {
		return nil, err
	}
	p.ID, p.Version, p.Uses = PromotionID(id.New("promo")), 1, 0
	p.CreatedAt = s.now()
	p.UpdatedAt = p.CreatedAt
	err := s.changePromotions(ctx, func(tx pgx.Tx) (events.PromotionChanged, error) {
		return p.changed("created", actor), insertPromotion(ctx, tx, &p)
	})
	return &p, err
}

// ReplacePromotion makes the promotion with the id what p says, if it still has the version; errs.ErrStaleVersion when
// it has not, errs.ErrNotFound when it is not there.
func (s *Service) ReplacePromotion(ctx context.Context, id PromotionID, version int64, p Promotion, actor string) (*Promotion, error) {
	if _, err := s.Promotion(ctx, id); err != nil {
		return nil, err
	}
	if err := p.normalise(); err != nil {
		return nil, err
	}
	p.ID, p.UpdatedAt = id, s.now()
	err := s.changePromotions(ctx, func(tx pgx.Tx) (events.PromotionChanged, error) {
		err := updatePromotion(ctx, tx, &p, version)
		return p.changed("replaced", actor), err
	})
	return &p, err
}

// DeletePromotion ends a promotion for good. Its codes may be given to others; orders keep what it took off.
func (s *Service) DeletePromotion(ctx context.Context, id PromotionID, version int64, actor string) error {
	p, err := s.Promotion(ctx, id)
	if err != nil {
		return err
	}
	return s.changePromotions(ctx, func(tx pgx.Tx) (events.PromotionChanged, error) {
		next, err := deletePromotion(ctx, tx, id, version, s.now())
		p.Version = next
		return p.changed("deleted", actor), err
	})
}

// changePromotions lets do change promotions and announces it in the same transaction.
func (s *Service) changePromotions(ctx context.Context, do func(tx pgx.Tx) (events.PromotionChanged, error)) error {
	err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		ev, err := do(tx)
		if err != nil {
			return err
		}
		return outbox.Append(ctx, tx, s.now(), ev)
	})
	if err == nil {
		s.promotions.Store(nil)
		outbox.Wake()
	}
	return err
}

func (p *Promotion) changed(what, actor string) events.PromotionChanged {
	return events.PromotionChanged{PromotionID: string(p.ID), Change: what, Actor: actor, Kind: string(p.Kind), Active: p.Active && what != "deleted", Version: p.Version}
}

// Promotion returns a promotion, errs.ErrNotFound when there is none.
func (s *Service) Promotion(ctx context.Context, promotion PromotionID) (*Promotion, error) {
	if !id.Valid("promo", string(promotion)) {
		return nil, errs.ErrNotFound
	}
	return readPromotion(ctx, s.db, promotion)
}

// promotionCursor is where a list of promotions goes on.
type promotionCursor struct {
	At time.Time   `json:"t"`
	ID PromotionID `json:"i"`
}

// Promotions returns promotions, newest first, with where the next page begins; empty after the last one.
func (s *Service) Promotions(ctx context.Context, after string, limit int) ([]*Promotion, string, error) {
	var at *time.Time
	var from promotionCursor
	if after != "" {
		body, err := base64.RawURLEncoding.DecodeString(after)
		if err != nil || json.Unmarshal(body, &from) != nil || !id.Valid("promo", string(from.ID)) {
			return nil, "", errBadCursor
		}
		at = &from.At
	}
	list, err := listPromotions(ctx, s.db, at, from.ID, limit+1)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	list = list[:limit]
	body, err := json.Marshal(promotionCursor{At: list[limit-1].CreatedAt, ID: list[limit-1].ID})
	return list, base64.RawURLEncoding.EncodeToString(body), err
}

var errBadCursor = errs.New(errs.Invalid, "invalid_parameter", "after is not a place in this list.").
	WithFields(errs.Field{Pointer: "query/after", Code: "invalid_parameter", Detail: "use next of the page before"})

// PromotionDay sums up one day (UTC) of a promotion in one currency, by when its orders were paid. What was cancelled
// since is counted and otherwise left out.
type PromotionDay struct {
	Day       time.Time
	Orders    int64
	Revenue   money.Amount // total of the orders
	Discount  money.Amount // what the promotion took off them, shipping included
	Cancelled int64
}

// PromotionDays returns the days between from (included) and to (not included) on which orders with the promotion were paid.
func (s *Service) PromotionDays(ctx context.Context, promotion PromotionID, from, to time.Time) ([]PromotionDay, error) {
	if _, err := s.Promotion(ctx, promotion); err != nil {
		return nil, err
	}
	return promotionDays(ctx, s.db, promotion, from, to)
}

// GroupMembers returns the customers of a group, by id, that come after the given one.
func (s *Service) GroupMembers(ctx context.Context, group, after string, limit int) ([]string, error) {
	return groupMembers(ctx, s.db, group, after, limit)
}

// AddToGroup puts a customer into a group, which comes to be by it.
func (s *Service) AddToGroup(ctx context.Context, group, customerID string) error {
	if err := checkMember(group, customerID); err != nil {
		return err
	}
	_, err := s.db.Exec(ctx, addMemberSQL, group, customerID, s.now())
	return err
}

// RemoveFromGroup takes a customer out of a group; errs.ErrNotFound for one who is not in it.
func (s *Service) RemoveFromGroup(ctx context.Context, group, customerID string) error {
	tag, err := s.db.Exec(ctx, removeMemberSQL, group, customerID)
	if err == nil && tag.RowsAffected() == 0 {
		return errs.ErrNotFound
	}
	return err
}

func checkMember(group, customerID string) error {
	valid := group != "" && len(group) <= 60
	for _, c := range []byte(group) {
		valid = valid && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	}
	if !valid {
		return errs.Validation(errs.Field{Pointer: "path/group", Code: "invalid", Detail: "A group is named by 1 to 60 of a to z, digits, dashes and underscores."})
	}
	if !id.Valid("cus", customerID) {
		return errs.ErrNotFound
	}
	return nil
}
