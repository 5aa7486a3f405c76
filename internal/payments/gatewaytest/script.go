package gatewaytest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// The operations that a rule may speak of.
const (
	OpCreate    = "create"    // a payment is opened that the shopper has to go on with
	OpCharge    = "charge"    // money is taken (or authorised) at once
	OpAuthorise = "authorise" // PayPal: an approved order is authorised
	OpCapture   = "capture"   // authorised money is taken; PayPal: the money of an approved order
	OpVoid      = "void"
	OpRefund    = "refund"
	OpLookup    = "lookup" // one object is read
	OpList      = "list"   // many are
	OpVerify    = "verify" // PayPal: a webhook's signature is checked
	OpToken     = "token"  // PayPal: an access token is given
	OpCustomer  = "customer"
)

// What a rule does. Decline, NeedsAction and Succeed answer a charge in its own way; the others are faults.
const (
	Succeed     = "succeed"         // whatever the payment method says
	Decline     = "decline"         //
	NeedsAction = "requires_action" // 3-D Secure
	Hang        = "hang"            // do it and never answer
	Reset       = "reset"           // do it and reset the connection
	ErrorStored = "error_stored"    // do it, answer 500, and answer so for this key for ever
	Error       = "error"           // answer 500 (or Status) and do nothing
	RateLimit   = "rate_limit"      // answer 429 and do nothing
	Slow        = "slow"            // wait Delay, then do it and answer; a caller that hung up does not stop it
)

var actions = []string{Succeed, Decline, NeedsAction, Hang, Reset, ErrorStored, Error, RateLimit, Slow}

// Rule says how calls go. All that is set must match.
type Rule struct {
	// Operation is one of the operations; empty matches every one.
	Operation string `json:"operation,omitempty"`
	OrderID   string `json:"order_id,omitempty"`
	PaymentID string `json:"payment_id,omitempty"`
	// Do is one of the actions.
	Do string `json:"do"`
	// Effect says whether hang, reset and error_stored do what was asked for before they fail; they do unless it is false.
	Effect *bool `json:"effect,omitempty"`
	// Delay is how long slow waits, and how long hang keeps the connection (a minute when it is 0).
	Delay Duration `json:"delay,omitempty"`
	// Times is how often the rule holds; 0 is for ever.
	Times int `json:"times,omitempty"`
	// Probability of each matching call to be met; 0 is 1.
	Probability float64 `json:"probability,omitempty"`
	// Status of error; 0 is 500.
	Status int `json:"status,omitempty"`
	// Code of a decline, in the gateway's words; empty is its most general one.
	Code string `json:"code,omitempty"`
	// Hits counts how often it held.
	Hits int `json:"hits"`
}

// does reports whether what was asked for happens although the call fails.
func (r *Rule) does() bool { return r.Effect == nil || *r.Effect }

// Duration is a time.Duration written like "1.5s" in JSON.
type Duration time.Duration

// MarshalJSON implements json.Marshaler.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("a duration is written like \"1.5s\": %w", err)
	}
	v, err := time.ParseDuration(s)
	*d = Duration(v)
	return err
}

// Script is the rules in their order; the first that matches a call decides.
type Script struct {
	mu    sync.Mutex
	rules []*Rule
	dice  *rand.Rand
}

// NewScript returns a script without rules, whose chance begins at seed.
func NewScript(seed uint64) *Script {
	return &Script{dice: rand.New(rand.NewPCG(seed, 0))}
}

// Seed starts chance over.
func (s *Script) Seed(seed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dice = rand.New(rand.NewPCG(seed, 0))
}

// Add puts rules behind those that are there.
func (s *Script) Add(rules ...Rule) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rules {
		if !slices.Contains(actions, r.Do) {
			return fmt.Errorf("a rule cannot do %q: use one of %q", r.Do, actions)
		}
		if r.Probability < 0 || r.Probability > 1 || r.Times < 0 {
			return fmt.Errorf("probability is between 0 and 1, and times is not negative")
		}
		r.Hits = 0
		s.rules = append(s.rules, &r)
	}
	return nil
}

// Clear removes all rules.
func (s *Script) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}

// Rules are those in force, with how often each held.
func (s *Script) Rules() []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		list[i] = *r
	}
	return list
}

// take returns the rule for a call, nil when none holds.
func (s *Script) take(c Call) *Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range s.rules {
		if r.Operation != "" && r.Operation != c.Operation || r.OrderID != "" && r.OrderID != c.OrderID || r.PaymentID != "" && r.PaymentID != c.PaymentID {
			continue
		}
		if r.Probability > 0 && s.dice.Float64() >= r.Probability {
			continue
		}
		r.Hits++
		if r.Times > 0 && r.Hits >= r.Times {
			s.rules = slices.Delete(s.rules, i, i+1)
		}
		held := *r
		return &held
	}
	return nil
}
